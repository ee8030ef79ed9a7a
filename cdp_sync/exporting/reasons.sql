select coalesce(problem.field || ': ', '') || problem.reason, count(*)
from (
    select unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as problem
    from staging.selected
    where ending = 'not_deliverable'
)
group by all
order by 2 desc, 1
limit 10
