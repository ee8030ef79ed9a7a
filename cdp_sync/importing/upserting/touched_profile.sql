-- Profiles that rows are assigned to.
create or replace temp table touched_profile as
select profile_id, true as is_new, row as first_row, 1 as rows, null::integer as file
from staging.assigned
where alone and profile_id is not null
union all
select profile_id, bool_or(outcome = 'new'), min(row), count(*), null
from staging.assigned
where not alone and profile_id is not null
group by profile_id
