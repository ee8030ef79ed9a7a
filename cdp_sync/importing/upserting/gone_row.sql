-- Remembered rows that the file no longer holds as often as it did, and those that were not applied. Those that were
-- there once and are unchanged need no counting.
create or replace temp table gone_row as
with repeated_before as (
    select file, row_hash from remembered group by file, row_hash having count(*) > 1
),
settled as (
    select file, row_hash from staging.unchanged anti join repeated_before using (file, row_hash)
),
before as (
    select
        file, row_hash, count(*) as times, count(*) filter (applied) as applied,
        any_value(profile_id) filter (applied) as profile_id,
        any_value(sums) filter (applied) as sums
    from remembered
    anti join settled using (file, row_hash)
    group by file, row_hash
),
kept as (
    select file, row_hash, count(*) as times
    from staging.unchanged
    semi join repeated_before using (file, row_hash)
    group by file, row_hash
)
select file.source, before.row_hash, coalesce(kept.times, 0) as kept, before.profile_id, before.sums
from before
left join kept using (file, row_hash)
join staging.file file using (file)
where not file.same_fingerprint or before.applied < before.times or before.times <> coalesce(kept.times, 0)
