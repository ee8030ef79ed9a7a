-- All parts of the live profiles that a rule or a decision may concern, the oldest first.
create or replace temp table member as
with named as (
    select profile_id from holder
    union all
    select unnest([left_id, right_id])
    from warehouse.decision
    semi join (from shared_value where holders > $most) using (property, value)
    where kind = 'merge' and revoked_at is null and rule is not null
),
concerned as (
    select distinct coalesce(merged_into, profile_id) as live_id
    from warehouse.profile
    where profile_id in (from named)
        or (
            profile_id in (select profile_id from checked_profile)
            and ($every or merged_into is not null or profile_id in (select profile_id from warehouse.own_profile))
        )
)
select
    profile_id, coalesce(merged_into, profile_id) as live_id,
    row_number() over (order by created_at, profile_id) as age{needed}
from warehouse.profile_by_itself
where coalesce(merged_into, profile_id) in (from concerned)
