-- Rule 3. Components that share a value with a profile that took it: the first value taken decides.
create or replace temp table component_profile as
select component.component, arg_min(taken.profile_id, taken.rank) as profile_id
from unmatched_value
join component using (row)
join staging.granted taken using (property, value)
group by component.component
