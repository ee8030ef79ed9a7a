-- Rows that share a link value get the smallest row number among them.
create or replace temp table label as
with by_value as (
    select property, value, min(row) as label from member group by property, value
)
select member.row, min(by_value.label) as label
from member
join by_value using (property, value)
group by member.row
