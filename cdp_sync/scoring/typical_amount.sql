-- The mean amount of a purchase, and how many purchases it takes until a profile's own mean counts as much: the variance
-- within profiles by the variance between them (Bühlmann 1967; it is the gamma-gamma model, fitted by moments).
create or replace temp table typical_amount as
with known as (
    select amounts, amount, deviation from buyer where amounts > 0
),
population as (
    select
        count(*) as profiles,
        sum(amounts) as amounts,
        sum(amounts * amounts) as squares,
        sum(amounts * amount) / sum(amounts) as mean,
        sum(deviation) / nullif(sum(amounts - 1), 0) as within
    from known
),
moment as (
    select
        mean,
        within,
        (sum(known.amounts * (amount - mean) * (amount - mean)) - (profiles - 1) * within)
            / nullif(population.amounts - squares / population.amounts, 0) as between_profiles
    from known, population
    group by mean, within, profiles, population.amounts, squares
)
select
    mean,
    case
        when within is null then 1
        when coalesce(between_profiles, 0) <= 0 then 1000
        else least(greatest(within / between_profiles, 0.001), 1000)
    end::double as own_after
from moment
