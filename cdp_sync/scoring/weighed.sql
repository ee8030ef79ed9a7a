-- What each profile received and did after $since, until $until: each event weighs 1 at its time, and fades from there.
create or replace temp table weighed as
with event as (
    {events}
),
weighed_event as (
    select
        profile_id,
        is_message,
        is_response,
        exp(-$fading * (epoch_us($until) - epoch_us(happened_at)) / 86400e6) as weight
    from event
    where happened_at > $since and happened_at <= $until and hash(profile_id) % $one_in = 0
),
total as (
    select
        profile_id,
        sum(weight * is_message::integer) as messages,
        sum(weight * weight * is_message::integer) as squares,
        sum(weight * is_response::integer) as responses,
        count(*) filter (is_message) as received
    from weighed_event
    group by profile_id
)
from total
semi join warehouse.live_profile using (profile_id)
