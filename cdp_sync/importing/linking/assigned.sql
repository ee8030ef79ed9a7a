-- Rule 4. The profile and the outcome of every fresh row. A component without a profile becomes a new one. Most new
-- profiles have one row (`alone`), which needs no join to find its profile and, later, no grouping. Ids are UUIDs of
-- version 7 (RFC 9562) that ascend by row: the bits that count parts of a millisecond count steps of 8,192 rows, and 62
-- bits are random. Profiles are written in this order, so that a search for an id reads few of them.
create or replace table staging.assigned as
with founder as (
    select
        component,
        component not in (select component from component where row <> component) as alone,
        (epoch_ms(now()) << 12) + (component >> 13) as tick
    from component
    anti join component_profile using (component)
    where component.row = component.component
),
new_profile as materialized (
    select
        component, alone,
        uuid_of(
            (((tick >> 12) << 16) | (7 << 12) | (tick & 4095))::uhugeint << 64
            | (1::uhugeint << 63) | (hash(uuid())::uhugeint & ((1::uhugeint << 62) - 1))
        ) as profile_id
    from founder
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
