-- A beta prior for the rate of a profile, fitted by moments: its mean, and its strength in messages. The variance of the
-- observed rates is what chance explains, and what people differ by (Kleinman 1973, for weights that fade).
create or replace temp table prior as
with trial as (
    select messages, least(responses, messages) / messages as rate, squares / (messages * messages) as spread
    from weighed
    where messages > 1e-9
),
population as (
    select sum(messages) as messages, sum(messages * rate) / sum(messages) as mean from trial
),
moment as (
    select
        max(mean) as mean,
        sum(part * (rate - mean) * (rate - mean)) as variance,
        sum(part * (1 - part)) as largest,
        sum(part * (1 - part) * spread) as by_chance
    from (select mean, rate, spread, trial.messages / population.messages as part from trial, population)
),
difference as (
    select mean, (variance / nullif(mean * (1 - mean), 0) - by_chance) / nullif(largest - by_chance, 0) as likeness
    from moment
)
-- Where all messages have faded, nobody differs from anybody.
select coalesce(mean, 0) as mean, 1 / least(greatest(likeness, 1 / (1 + $strongest)), 1 / (1 + $weakest)) - 1 as strength
from (select mean, coalesce(likeness, 0) as likeness from difference)
