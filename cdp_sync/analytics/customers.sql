-- Profiles with an order, by period, and of the timeframe: new ones had none before.
with placed as (
    select profile_id, happened_at, revenue, min(happened_at) over (partition by profile_id) as first_at
    from ({orders})
    where happened_at < $end
),
counted as (
    select
        *,
        {key} as key,
        first_at >= $start as is_new,
        first_at >= $start and {key} = {first_key} as is_new_in_period
    from placed
    where happened_at >= $start
)
select
    grouping(key) = 1 as is_total,
    key,
    count(distinct profile_id) as customers,
    case
        when grouping(key) = 1 then count(distinct profile_id) filter (is_new)
        else count(distinct profile_id) filter (is_new_in_period)
    end as new_customers,
    count(*) as orders,
    coalesce(sum(revenue), 0) as revenue
from counted
group by grouping sets ((key), ())
