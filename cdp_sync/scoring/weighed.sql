-- What each profile received and did after $since, until $until: each event weighs 1 at its time, and fades from there.
create or replace temp table weighed as
with message as (
    select profile_id, sum(weight) as messages, sum(weight * weight) as squares
    from (
        select profile_id, {weight} as weight
        from ({messages}) as message (profile_id, happened_at)
        where {counts}
    )
    group by profile_id
),
response as (
    select profile_id, sum({weight}) as responses
    from ({responses}) as response (profile_id, happened_at)
    where {counts}
    group by profile_id
)
select
    profile_id,
    messages is not null as has_messages,
    coalesce(messages, 0) as messages,
    coalesce(squares, 0) as squares,
    coalesce(responses, 0) as responses
from message
full join response using (profile_id)
semi join warehouse.live_profile using (profile_id)
