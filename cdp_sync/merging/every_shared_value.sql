-- Values of the rules' properties that several profiles have, and how many: where most profiles are sought, to look for all
-- costs a quarter of looking for theirs.
create or replace temp table every_shared_value as
select property, value, count(*) as holders
from warehouse.linking_identifier
where property in ({properties}) and length(value) >= $shortest
group by all
having count(*) > 1
