-- Rows that share a link value get the smallest row number among them, all others their own.
create or replace temp table label as
with shared as (
    select property, value, min(row) as label from member group by property, value having count(*) > 1
),
joined as (
    select member.row, min(shared.label) as label
    from member
    join shared using (property, value)
    group by member.row
)
from joined
union all
select distinct row, row from member anti join joined using (row)
