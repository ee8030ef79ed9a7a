-- Rows that share a link value get the smallest row number among them, all others their own.
create or replace temp table component as
with shared as (
    select property, value, min(row) as component from unmatched_value group by property, value having count(*) > 1
),
joined as (
    select unmatched_value.row, min(shared.component) as component
    from unmatched_value
    join shared using (property, value)
    group by unmatched_value.row
)
from joined
union all
select distinct row, row from unmatched_value anti join joined using (row)
