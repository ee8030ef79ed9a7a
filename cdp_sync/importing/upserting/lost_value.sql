-- Values of rules that a profile loses, or may lose: without it, others that have them may be one person.
create or replace temp table lost_value as
select property, value
from warehouse.linking_identifier
join (select profile_id, unnest(_changed) as property from changed_profile) changed using (profile_id, property)
where property in ({properties}) and length(value) >= $shortest
