-- As label, where every row has one link value at the most.
create or replace temp table label as
with shared as (
    select value, min(row) as label from member group by value having count(*) > 1
)
select member.row, coalesce(shared.label, member.row) as label
from member
left join shared using (value)
