-- Each profile that bought until $until. Times in days: from the first purchase to the last one, and to $until.
create or replace temp table buyer as
with purchase as (
    select profile_id, epoch_us(happened_at) / 86400e6 as day, amount::double as amount
    from ({events})
    where happened_at <= $until and {sampled}
),
total as (
    select
        profile_id,
        count(*) as purchases,
        (max(day) - min(day))::double as active,
        (epoch_us($until) / 86400e6 - min(day))::double as age,
        count(amount) as amounts,
        coalesce(avg(amount), 0) as amount,
        coalesce(var_pop(amount) * count(amount), 0) as deviation
    from purchase
    group by profile_id
)
from total
semi join warehouse.live_profile using (profile_id)
