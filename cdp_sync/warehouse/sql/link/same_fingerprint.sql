-- Files whose previous import was made under the same declaration, from the same fields: their rows compare one to one.
-- Asked anew whenever rows are linked.
update staging.file file
set same_fingerprint = coalesce((
    select arg_max(known.fingerprint = $fingerprint and known.fields = file.fields, known.imported_at)
    from warehouse.imported_file known
    where known.connection = $connection and known.goal = $goal and known.path = file.path
), false)
