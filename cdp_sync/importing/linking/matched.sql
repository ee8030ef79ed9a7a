-- A row that stays has its profile. For others the first link that finds a live profile decides; of several profiles
-- the most recently created gets the row. Where nothing is ambiguous, no profile is read.
create or replace temp table matched as
with plain as (
    select row, min(profile_id) as profile_id
    from found
    group by row
    having min(profile_id) = max(profile_id)
),
several as materialized (
    select found.row, found.link, found.profile_id from found anti join plain using (row)
),
ambiguous as (
    select
        several.row,
        arg_min(several.profile_id, (several.link, -epoch_us(profile.created_at), profile.profile_id)) as profile_id
    from several
    join warehouse.profile profile using (profile_id)
    group by several.row
)
select row, profile_id, row in (select row from ambiguous) as ambiguous from stays
union all
select row, profile_id, false from plain anti join stays using (row)
union all
select row, profile_id, true from ambiguous anti join stays using (row)
