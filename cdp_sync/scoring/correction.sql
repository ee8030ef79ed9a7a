-- How many purchases came within the last $horizon days, by what was forecast for them then.
create or replace temp table correction as
select purchases, is_recent, (coalesce(sum(happened), 0) + 1) / (sum(expected) + 1) as factor
from forecast
left join came using (profile_id)
group by purchases, is_recent
