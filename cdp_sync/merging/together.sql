-- Clusters that hold members that were decided to stay apart.
create or replace temp table together as
select distinct l.label
from apart
join label l on l.age = left_age
join label r on r.age = right_age
where l.label = r.label
