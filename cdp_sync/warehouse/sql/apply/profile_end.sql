-- How many profiles were created, updated or left alone, each counted in the file of its first row.
create or replace temp table profile_end as
with bounds as (
    select file, first_row, lead(first_row) over (order by part) as next_row from staging.part
)
select
    bounds.file,
    count(*) filter (touched.is_new) as created,
    count(*) filter (revised.profile_id is not null) as updated,
    count(*) filter (not touched.is_new and revised.profile_id is null) as unchanged
from touched
left join revised using (profile_id)
join bounds on touched.first_row >= bounds.first_row and (touched.first_row < bounds.next_row or bounds.next_row is null)
group by bounds.file
