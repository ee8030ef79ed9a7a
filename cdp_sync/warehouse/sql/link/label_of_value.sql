-- As label, where every row has one link value at the most.
create or replace temp table label as
with by_value as (
    select value, min(row) as label from member group by value
)
select member.row, by_value.label
from member
join by_value using (value)
