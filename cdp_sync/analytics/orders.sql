-- Orders and their revenue, by key, and of all. An order is attributed to the campaign of the last click of its profile in
-- the window before it, or else of the last open. Of several at one moment the event with the greatest id counts.
with placed as (
    select event_id, profile_id, happened_at, revenue
    from ({orders})
    where happened_at >= $start and happened_at < $end
),
clicked as (
    select profile_id, happened_at, campaign, name
    from ({clicks})
    where happened_at >= $start - to_hours($hours) and happened_at < $end
        and profile_id in (select profile_id from placed)
    qualify row_number() over (partition by profile_id, happened_at order by event_id desc) = 1
),
opened as (
    select profile_id, happened_at, campaign, name
    from ({opens})
    where happened_at >= $start - to_hours($hours) and happened_at < $end
        and profile_id in (select profile_id from placed)
    qualify row_number() over (partition by profile_id, happened_at order by event_id desc) = 1
),
looked_up as (
    select
        placed.*,
        coalesce(placed.happened_at <= clicked.happened_at + to_hours($hours), false) as by_click,
        coalesce(placed.happened_at <= opened.happened_at + to_hours($hours), false) as by_open,
        clicked.campaign as clicked_campaign,
        clicked.name as clicked_name,
        opened.campaign as opened_campaign,
        opened.name as opened_name
    from placed
    asof left join clicked
        on placed.profile_id = clicked.profile_id and placed.happened_at >= clicked.happened_at
    asof left join opened
        on placed.profile_id = opened.profile_id and placed.happened_at >= opened.happened_at
),
attributed as (
    select
        *,
        by_click or by_open as is_attributed,
        case when by_click then clicked_campaign when by_open then opened_campaign end as campaign,
        case when by_click then clicked_name when by_open then opened_name end as name
    from looked_up
)
select
    grouping(key) = 1 as is_total,
    key,
    {called} as name,
    count(*) as orders,
    coalesce(sum(revenue), 0) as revenue,
    count(*) filter (is_attributed) as attributed_orders,
    coalesce(sum(revenue) filter (is_attributed), 0) as attributed_revenue
from (select *, {key} as key from attributed)
where {only} and {attributed}
group by grouping sets ((key), ())
