-- Memberships of candidates, and of the profiles that were merged into them.
create or replace table staging.shared_member as
select distinct list, key, id
from warehouse.list_member
where connection = $connection and goal = $goal and profile_id in (
    select profile_id from staging.candidate
    union all
    select profile_id from warehouse.profile where merged_into in (select profile_id from staging.candidate)
)
