-- How many profiles were created, updated or left alone, each counted in the file of its first row; one that only
-- loses what rows have added, in the file that takes it back.
create or replace temp table profile_end as
with bounds as (
    select file, first_row, lead(first_row) over (order by part) as next_row from staging.part
),
placed as (
    select bounds.file, touched.profile_id, touched.is_new
    from touched
    join bounds
        on touched.first_row >= bounds.first_row and (touched.first_row < bounds.next_row or bounds.next_row is null)
    union all
    select file, profile_id, is_new from touched where first_row is null
)
select
    placed.file,
    count(*) filter (placed.is_new) as created,
    count(*) filter (revised.profile_id is not null) as updated,
    count(*) filter (not placed.is_new and revised.profile_id is null) as unchanged
from placed
left join revised using (profile_id)
group by placed.file
