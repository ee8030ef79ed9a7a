-- Values of the rules' properties that a sought profile shares with another one, and how many profiles have each.
insert into shared_value
with mine as (
    select distinct property, value
    from warehouse.linking_identifier
    semi join sought_profile using (profile_id)
    where property in ({properties}) and length(value) >= $shortest
)
select property, value, count(*)
from warehouse.linking_identifier
semi join mine using (property, value)
anti join shared_value using (property, value)
group by all
having count(*) > 1
