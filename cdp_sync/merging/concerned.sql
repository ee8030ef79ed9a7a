-- The live profiles that a rule or a decision may concern. Of a value that has become one of too many profiles, also those
-- that had it before: without it, others may fit.
create or replace temp table concerned as
with named as (
    select profile_id from holder
    union all
    select profile_id
    from warehouse.linking_identifier
    semi join (from shared_value where holders > $most and others <= $most) using (property, value)
    where profile_id not in (select profile_id from checked_profile)
    union all
    select unnest([left_id, right_id])
    from warehouse.decision
    semi join (from shared_value where holders > $most) using (property, value)
    where kind = 'merge' and revoked_at is null and rule is not null
)
select distinct coalesce(merged_into, profile_id) as live_id
from warehouse.profile
where profile_id in (from named)
    or (
        profile_id in (select profile_id from checked_profile)
        and ($every or merged_into is not null or profile_id in (select profile_id from warehouse.own_profile))
    )
