select coalesce(told.field || ': ', '') || told.reason, count(*)
from (select unnest(problems) as told from staging.profile_end where ending = 'not_deliverable')
group by all
order by 2 desc, 1
limit 10
