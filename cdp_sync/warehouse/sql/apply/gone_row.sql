-- Remembered rows that the file no longer holds as often as it did, and those that were not applied.
create or replace temp table gone_row as
with before as (
    select file, row_hash, count(*) as times, count(*) filter (applied) as applied
    from remembered
    group by file, row_hash
),
kept as (
    select file, row_hash, count(*) as times from staging.unchanged group by file, row_hash
),
sums as (
    select file, row_hash, any_value(added) as added
    from remembered
    where applied and added is not null
    group by file, row_hash
)
select file.source, before.row_hash, coalesce(kept.times, 0) as kept, sums.added
from before
left join kept using (file, row_hash)
left join sums using (file, row_hash)
join staging.file file using (file)
where not file.same_fingerprint or before.applied < before.times or before.times <> coalesce(kept.times, 0)
