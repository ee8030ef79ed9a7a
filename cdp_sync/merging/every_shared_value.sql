-- Values of the rules' properties that several profiles have, and how many: where most profiles are sought, this costs a
-- quarter of looking for theirs.
insert into shared_value
select property, value, count(*)
from warehouse.linking_identifier
where property in ({properties}) and length(value) >= $shortest
group by all
having count(*) > 1
