-- Rule 1. A row whose links are the same as in its previous import stays with its profile. For others the first link
-- that finds a live profile decides; of several profiles the most recently created gets the row. Where nothing is
-- ambiguous, no profile is read.
create or replace temp table matched as
with candidate as materialized (
    select link_value.row, link_value.link, identifier.{key} as profile_id
    from link_value
    join {identifiers} identifier using (property, value)
),
stays as materialized (
    select previous.row, previous.profile_id
    from staging.previous previous
    semi join {live} profile on profile.{key} = previous.profile_id
    semi join link_value on link_value.row = previous.row
    where previous.file in (select file from staging.file where same_links)
),
plain as materialized (
    select row, min(profile_id) as profile_id
    from candidate
    group by row
    having min(profile_id) = max(profile_id)
),
several as materialized (
    select candidate.row, candidate.link, candidate.profile_id from candidate anti join plain using (row)
),
ambiguous as materialized (
    select
        several.row,
        arg_min(several.profile_id, (several.link, -epoch_us(profile.created_at), profile.{key})) as profile_id
    from several
    join {table} profile on profile.{key} = several.profile_id
    group by several.row
)
select row, profile_id, row in (select row from ambiguous) as ambiguous from stays
union all
select row, profile_id, false from plain anti join stays using (row)
union all
select row, profile_id, true from ambiguous anti join stays using (row)
