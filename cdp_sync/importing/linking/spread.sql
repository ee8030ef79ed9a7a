-- Groups of unmatched rows that share a value with a profile that took it: the earliest taken decides.
create or replace temp table spread as
select label.label, arg_min(taken.profile_id, taken.rank) as profile_id
from member
join label using (row)
join staging.granted taken using (property, value)
group by label.label
