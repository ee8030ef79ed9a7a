-- Profiles that another connection created, or nobody, and that this one imports for the first time.
insert into warehouse.imported_profile
select $connection, profile_id
from (
    select profile_id
    from (select profile_id from warehouse.profile where _created_by <> $number or _created_by is null)
    join (select profile_id from touched where not is_new) using (profile_id)
)
anti join (select profile_id from warehouse.imported_profile where connection = $connection) using (profile_id)
