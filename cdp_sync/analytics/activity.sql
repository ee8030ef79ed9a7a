-- Profiles with an event, by period, and of the timeframe: how many of them are identified.
with known as (
    select profile_id, {identified} as is_identified
    from warehouse.live_profile
)
select
    grouping(key) = 1 as is_total,
    key,
    count(distinct profile_id) as active_profiles,
    count(distinct profile_id) filter (is_identified) as identified_profiles,
    count(*) as events,
    count(*) filter (is_identified) as identified_events
from (
    select *, {key} as key
    from ({events})
    where happened_at >= $start and happened_at < $end
)
join known using (profile_id)
group by grouping sets ((key), ())
