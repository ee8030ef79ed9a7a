-- The chosen profiles with the outcomes of their users. A user who joined a list earlier than the run began that was
-- about to put them there, by more than clocks differ, was on it before. So was a user who was found on it at an unknown
-- moment, unless an earlier run was about to put them there.
create or replace table staging.selected as
with placed as (
    select rowid as row, row_number() over (order by rowid) - 1 as place from staging.chosen where ending = 'written'
),
settled as (
    select placed.row, coalesce(outcome.outcome, 'refused') as outcome, outcome.platform_id, outcome.joined,
        coalesce(outcome.reason, 'it was not sent') as reason
    from placed
    left join outcome using (place)
)
select chosen.* exclude (line) replace (
        case settled.outcome
            when 'sent' then 'written' when 'absent' then 'unmatched'
            when 'refused' then 'not_deliverable' when 'forgotten' then 'not_deliverable'
            else chosen.ending::varchar
        end as ending,
        case when settled.outcome in ('absent', 'refused', 'forgotten') then null else chosen.row_hash end as row_hash,
        case when settled.outcome in ('refused', 'forgotten') then to_json([{field: null, reason: settled.reason}])::varchar
            else chosen.problems end as problems
    ),
    settled.platform_id,
    case when settled.joined is not null then chosen.line ->> 'key' end as link_key,
    case when settled.joined is not null then chosen.line ->> 'id' end as link_id,
    list_transform(
        list_filter(settled.joined, lambda x:
            (x.moment is null or x.moment >= epoch(coalesce(intent.began, $now)) - 300)
            and (not coalesce(x.before, false) or coalesce(intent.began < $now, false))
        ),
        lambda x: x.list
    ) as lists
from staging.chosen chosen
left join settled on settled.row = chosen.rowid
left join (
    select profile_id, min(began) as began
    from warehouse.list_intent
    where connection = $connection and goal = $goal
    group by profile_id
) intent using (profile_id)
