-- Profiles that were written or touched since, and those whose last ending is tried again.
create or replace table staging.candidate as
select profile_id from warehouse.profile where updated_at > $mark
union all
select profile_id from warehouse.profile_touch where touched_at > $mark
union all
select profile_id
from warehouse.export_exception
where goal_number = $number and ending in ('not_deliverable', 'unmatched')
