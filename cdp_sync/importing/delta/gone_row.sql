-- Previous rows that the file holds less often than before, and those that were not applied.
create or replace table staging.gone_row as
with before as (
    select
        file, row_hash, count(*) as times, count(*) filter (applied) as applied,
        any_value(profile_id) filter (applied) as profile_id,
        any_value(sums) filter (applied) as sums,
        any_value(source_hash) filter (applied) as source_hash
    from staging.previous_row
    group by file, row_hash
),
kept as (
    select file, row_hash, count(*) as times
    from staging.unchanged
    semi join before using (file, row_hash)
    group by file, row_hash
)
select file.source, before.row_hash, coalesce(kept.times, 0) as kept, before.profile_id, before.sums,
    before.source_hash
from before
left join kept using (file, row_hash)
join staging.file file using (file)
where not file.same_fingerprint or before.applied < before.times or before.times <> coalesce(kept.times, 0)
