-- Profiles that this connection did not create, and imports for the first time.
insert into warehouse.imported_profile
select $connection, profile_id
from (
    select profile_id
    from (select {key} as profile_id from {table} where _created_by <> $number or _created_by is null)
    join (select profile_id from touched_profile where not is_new) using (profile_id)
)
anti join (select profile_id from warehouse.imported_profile where connection = $connection) using (profile_id)
