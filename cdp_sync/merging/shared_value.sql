-- Values of the rules' properties that a checked profile shares with another one, and how many profiles have each.
create or replace temp table shared_value as
with mine as (
    select distinct property, value
    from warehouse.linking_identifier
    semi join checked_profile using (profile_id)
    where property in ({properties}) and length(value) >= $shortest
)
select property, value, count(*) as holders
from warehouse.linking_identifier
semi join mine using (property, value)
group by all
having count(*) > 1
