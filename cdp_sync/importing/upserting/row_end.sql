-- How many rows of each file met which end.
create or replace temp table row_end as
with bounds as (
    select file, first_row, lead(first_row) over (order by part) as next_row from staging.part
),
ends as (
    select row, case when profile_id is null then outcome else 'applied' end as ending, ambiguous from staging.assigned
    union all
    select row, 'unchanged', false from staging.unchanged
    union all
    select row, 'set_aside', false from staging.set_aside
)
select bounds.file, ends.ending, count(*) as rows, count(*) filter (ends.ambiguous) as ambiguous
from ends
join bounds on ends.row >= bounds.first_row and (ends.row < bounds.next_row or bounds.next_row is null)
group by bounds.file, ends.ending
