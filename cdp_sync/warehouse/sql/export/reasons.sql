-- Why staged profiles cannot be delivered, and how many for each reason.
select coalesce(field || ': ', '') || reason as told, count(*) as times
from (select unnest(problems, recursive := true) from staging.profile_end where ending = 'not_deliverable')
group by told
order by times desc, told
limit 10
