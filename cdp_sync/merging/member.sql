-- All parts of the live profiles that are concerned, the oldest first.
create or replace temp table member as
select
    profile_id, coalesce(merged_into, profile_id) as live_id,
    row_number() over (order by created_at, profile_id) as age{needed}
from warehouse.profile_by_itself
where coalesce(merged_into, profile_id) in (from concerned)
