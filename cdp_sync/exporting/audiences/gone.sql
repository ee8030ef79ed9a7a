-- Users who were taken off lists, also those that the platform no longer has.
create or replace table staging.gone as
with placed as (select *, dense_rank() over (order by key, id) - 1 as place from staging.leaver)
select placed.profile_id, placed.list, placed.key, placed.id
from placed
join outcome using (place)
where outcome.outcome in ('sent', 'absent', 'forgotten')
