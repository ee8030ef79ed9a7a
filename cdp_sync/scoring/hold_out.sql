-- How well the score, and the number of events in the period before, rank what happened next (Spearman; ties share the mean
-- of their ranks).
with compared as (
    select value, coalesce(before.happened, 0) as baseline, coalesce(after.outcome, {nothing}) as outcome
    from score_value
    left join happened_before before using (profile_id)
    left join happened_after after using (profile_id)
),
ranked as (
    select
        rank() over (order by value) + (count(*) over (partition by value) - 1) / 2 as by_score,
        rank() over (order by baseline) + (count(*) over (partition by baseline) - 1) / 2 as by_baseline,
        rank() over (order by outcome) + (count(*) over (partition by outcome) - 1) / 2 as by_outcome
    from compared
    where outcome is not null
)
select
    count(*) as profiles,
    case when stddev_pop(by_score) > 0 and stddev_pop(by_outcome) > 0 then corr(by_score, by_outcome) end as of_score,
    case
        when stddev_pop(by_baseline) > 0 and stddev_pop(by_outcome) > 0 then corr(by_baseline, by_outcome)
    end as of_baseline
from ranked
