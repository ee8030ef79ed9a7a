-- Remembered rows that the file no longer holds as often as it did.
create or replace temp table gone_row as
with before as (
    select file, row_hash, count(*) as times from remembered group by file, row_hash
),
kept as (
    select staged.file, staged.row_hash, count(*) as times
    from staging.unchanged unchanged
    join staging.staged staged on staged.rowid = unchanged.row
    group by staged.file, staged.row_hash
)
select file.source, row_hash, coalesce(kept.times, 0) as kept, any_value(remembered.added) filter (remembered.applied) as added
from before
left join kept using (file, row_hash)
join staging.file file using (file)
join remembered using (file, row_hash)
where not file.same_fingerprint or before.times <> coalesce(kept.times, 0)
group by all
