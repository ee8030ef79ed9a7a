-- Remembered rows that the file no longer holds as often as it did, and those that were not applied.
create or replace temp table gone_row as
with before as (
    select file, row_hash, count(*) as times, bool_and(applied) as applied, any_value(added) filter (applied) as added
    from remembered
    group by file, row_hash
),
kept as (
    select staged.file, staged.row_hash, count(*) as times
    from staging.staged staged
    semi join staging.unchanged unchanged on unchanged.row = staged.rowid
    group by staged.file, staged.row_hash
)
select file.source, before.row_hash, coalesce(kept.times, 0) as kept, before.added
from before
left join kept using (file, row_hash)
join staging.file file using (file)
where not file.same_fingerprint or not before.applied or before.times <> coalesce(kept.times, 0)
