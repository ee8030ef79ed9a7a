-- What happened to messages, by key, and of all of them. A unique open or click is one of a profile and message.
select
    grouping(key) = 1 as is_total,
    key,
    {called} as name,
    count(*) filter (role = 'sent') as sends,
    count(*) filter (role = 'delivered') as deliveries,
    count(*) filter (role = 'bounced') as bounces,
    count(*) filter (role = 'bounced' and kind = 'hard') as hard_bounces,
    count(*) filter (role = 'bounced' and kind = 'soft') as soft_bounces,
    count(*) filter (role = 'opened') as opens,
    count(distinct (profile_id, campaign, message)) filter (role = 'opened') as unique_opens,
    count(*) filter (role = 'clicked') as clicks,
    count(distinct (profile_id, campaign, message)) filter (role = 'clicked') as unique_clicks,
    count(*) filter (role = 'unsubscribed') as unsubscribes,
    count(*) filter (role = 'complained') as complaints
from (
    select *, {key} as key
    from ({events})
    where happened_at >= $start and happened_at < $end
)
where {only}
group by grouping sets ((key), ())
