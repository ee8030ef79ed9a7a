-- Files whose previous import was made under the same declaration and from the same fields: their rows compare one to one.
update staging.file file
set
    same_fingerprint = coalesce(latest.fingerprint = $fingerprint and latest.fields = file.fields, false),
    same_links = coalesce(latest.links = $links, false)
from staging.file every
left join (
    from warehouse.imported_file
    where connection = $connection and goal = $goal
    qualify row_number() over (partition by path order by rowid desc) = 1
) latest using (path)
where every.file = file.file
