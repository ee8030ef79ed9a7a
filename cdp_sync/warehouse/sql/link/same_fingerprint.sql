-- Files whose previous import was made under the same declaration; asked anew whenever rows are linked.
update staging.file file
set same_fingerprint = coalesce(file.path in (
    select path
    from warehouse.imported_file
    where connection = $connection and goal = $goal
    group by path
    having arg_max(fingerprint, imported_at) = $fingerprint
), false)
