-- The ten most frequent reasons, and the others as one.
with counted as (
    select coalesce(problem.field || ': ', '') || problem.reason as reason, count(*) as times
    from (
        select unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as problem
        from staging.selected
        where ending = 'not_deliverable'
    )
    group by all
)
select case when place <= 10 then reason else 'other reasons; see the quarantine' end as shown, sum(times)::bigint
from (select *, row_number() over (order by times desc, reason) as place from counted)
group by shown
order by min(place)
