-- As component.sql, where every row has at most one link value.
create or replace temp table component as
with unmatched as (select row, value from link_value anti join matched using (row)),
shared as (select value, min(row) as component from unmatched group by value having count(*) > 1)
select unmatched.row, coalesce(shared.component, unmatched.row) as component
from unmatched
left join shared using (value)
