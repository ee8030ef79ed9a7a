-- Live profiles by the time at which they were created: how many of them are identified.
select
    grouping(key) = 1 as is_total,
    key,
    count(*) as profiles_created,
    count(*) filter (is_identified) as identified_profiles_created
from (
    select created_at as happened_at, {identified} as is_identified, {key} as key
    from warehouse.live_profile
    where created_at >= $start and created_at < $end
)
group by grouping sets ((key), ())
