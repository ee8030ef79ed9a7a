-- Rows that the previous import of their file applied. Of digests that the file holds more or less often by now, as
-- many rows are unchanged as were there before.
create or replace table staging.unchanged as
with counted as (
    select file, row_hash, count(*) as times
    from staging.previous_row
    where same_fingerprint and applied
    group by file, row_hash
),
several as (
    select
        staged.rowid as row, staged.file, staged.row_hash,
        row_number() over (partition by staged.file, staged.row_hash order by staged.rowid) as nth,
        counted.times
    from staging.staged staged
    join counted using (file, row_hash)
)
select staged.rowid as row, staged.file, staged.row_hash
from staging.staged staged
join staging.file file using (file)
anti join staging.changed_hash changed using (file, row_hash)
where file.same_fingerprint and file.state = 'staged' and staged.filtered = 0
union all
select row, file, row_hash from several where nth <= times
