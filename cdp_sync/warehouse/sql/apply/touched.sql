-- Profiles that rows were assigned to.
create or replace temp table touched as
select profile_id, bool_or(outcome = 'new') as is_new, min(row) as first_row, count(*) as rows
from staging.assigned
where profile_id is not null
group by profile_id
