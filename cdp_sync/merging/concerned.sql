-- The live profiles that a rule or a decision may concern. Of a value that has become one of too many profiles, also those
-- that had it before: without it, others may fit.
create or replace temp table concerned as
with crowded as (from shared_value where holders > $most),
newly_crowded as (
    select property, value
    from (select * from warehouse.linking_identifier semi join crowded using (property, value))
    group by property, value
    having count(*) filter (profile_id not in (select profile_id from checked_profile)) <= $most
),
named as (
    select profile_id from holder
    union all
    select profile_id
    from (select * from warehouse.linking_identifier semi join newly_crowded using (property, value))
    where profile_id not in (select profile_id from checked_profile)
    union all
    select unnest([left_id, right_id])
    from warehouse.decision
    semi join crowded using (property, value)
    where kind = 'merge' and revoked_at is null and rule is not null
    union all
    select profile_id from checked_profile where $every
    union all
    select profile_id
    from checked_profile
    where profile_id in (
        select unnest([profile_id, merged_into]) from warehouse.profile where merged_into is not null
    )
)
select distinct coalesce(merged.merged_into, named.profile_id) as live_id
from named
left join (select profile_id, merged_into from warehouse.profile where merged_into is not null) merged using (profile_id)
