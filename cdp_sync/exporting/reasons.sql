select coalesce(told.field || ': ', '') || told.reason, count(*)
from (
    select unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as told
    from staging.profile_end
    where ending = 'not_deliverable'
)
group by all
order by 2 desc, 1
limit 10
