-- The link values of rows that matched nothing.
create or replace temp table member as
select row, property, value
from link_value
anti join matched using (row)
