-- Rule 4. The profile and the outcome of every fresh row. A component without a profile becomes a new one. Most new
-- profiles have one row (`alone`), which needs no join to find its profile and, later, no grouping. Ids are UUIDs of
-- version 7 (RFC 9562) that ascend by row, 8,192 rows a step, in place of the time below a millisecond: profiles are
-- written in this order, and a search for an id then reads few of them.
create or replace table staging.assigned as
with new_profile as materialized (
    select
        component,
        (
            (epoch_ms(now()) << 16 | 28672 | least(component >> 13, 4095))::uhugeint << 64
            | (9223372036854775808::uhugeint | (uuid()::uhugeint & 4611686018427387903::uhugeint))
        )::uuid as profile_id,
        component not in (select component from component where row <> component) as alone
    from component
    anti join component_profile using (component)
    where component.row = component.component
)
select row, profile_id, 'matched' as outcome, ambiguous, false as alone from matched
union all
select component.row, owner.profile_id, 'matched', false, false
from component
join component_profile owner using (component)
union all
select component, profile_id, 'new', false, alone from new_profile where $allow_new
union all
select component.row, new_profile.profile_id, 'new', false, false
from component
join new_profile using (component)
where component.row <> component.component and $allow_new
union all
select row, null, 'unmatched', false, false
from component
anti join component_profile using (component)
where not $allow_new
union all
select row, null, 'without_identifier', false, false from staging.fresh where {unnamed} and {usable}
union all
select row, null, 'rejected', false, false from staging.fresh where not {usable}
