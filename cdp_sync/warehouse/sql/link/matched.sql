-- A row that stays has its profile. For others the first link that finds a live profile decides; of several profiles
-- the most recently created gets the row.
create or replace temp table matched as
with plain as (
    select row, min(profile_id) as profile_id
    from found
    group by row
    having min(profile_id) = max(profile_id)
),
ambiguous as (
    select
        found.row,
        arg_min(found.profile_id, (found.link, -epoch_us(profile.created_at), profile.profile_id)) as profile_id
    from found
    join warehouse.profile profile using (profile_id)
    where found.row not in (select row from plain)
    group by found.row
)
select row, profile_id, row in (select row from ambiguous) as ambiguous from stays
union all
select row, profile_id, false from plain anti join stays using (row)
union all
select row, profile_id, true from ambiguous anti join stays using (row)
