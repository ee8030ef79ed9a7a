-- Rule 1. A row whose links are the same as in its previous import stays with its profile, unless it names only profiles
-- that were decided to be others. For others the first link that finds a profile decides; of several profiles the most
-- recently created gets the row. Those that are one by now are not ambiguous. Where nothing is, no profile is read.
create or replace temp table matched as
with candidate as materialized (
    select link_value.row, link_value.link, identifier.{key} as profile_id
    from link_value
    join {identifiers} identifier using (property, value)
),
apart as (
    select left_id as profile_id, right_id as other from warehouse.decision where kind = 'keep_apart' and revoked_at is null
    union all
    select right_id, left_id from warehouse.decision where kind = 'keep_apart' and revoked_at is null
),
somebody_else as (
    select candidate.row, apart.profile_id
    from candidate
    join apart on apart.other = candidate.profile_id
    anti join candidate own on own.row = candidate.row and own.profile_id = apart.profile_id
),
stays as materialized (
    select previous.row, previous.profile_id
    from staging.previous previous
    semi join {table} profile on profile.{key} = previous.profile_id
    semi join link_value on link_value.row = previous.row
    anti join somebody_else on somebody_else.row = previous.row and somebody_else.profile_id = previous.profile_id
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
        arg_min(several.profile_id, (several.link, -epoch_us(profile.created_at), profile.{key})) as profile_id,
        count(distinct {live_id}) > 1 as is_ambiguous
    from several
    join {table} profile on profile.{key} = several.profile_id
    group by several.row
)
select row, profile_id, row in (select row from ambiguous where is_ambiguous) as ambiguous from stays
union all
select row, profile_id, false from plain anti join stays using (row)
union all
select row, profile_id, is_ambiguous from ambiguous anti join stays using (row)
