-- Rows that occurred in the previous import of their file, and were applied. Only those that repeat need counting.
create or replace table staging.unchanged as
with before as (
    select file, row_hash from remembered where same_fingerprint and applied
),
counted as (
    select file, row_hash, count(*) as times from before semi join repeated using (file, row_hash) group by all
),
once as (
    select staged.rowid as row, staged.file, staged.row_hash
    from staging.staged staged
    semi join before using (file, row_hash)
    anti join repeated using (file, row_hash)
),
several as (
    select
        staged.rowid as row, staged.file, staged.row_hash,
        row_number() over (partition by staged.file, staged.row_hash order by staged.rowid) as nth,
        counted.times
    from staging.staged staged
    join counted using (file, row_hash)
)
from once
union all
select row, file, row_hash from several where nth <= times
