-- Rows that occurred in the previous import of their file, and were applied.
create or replace table staging.unchanged as
with before as (
    select file, row_hash, count(*) as times from remembered where same_fingerprint and applied group by file, row_hash
),
once as (
    select staged.rowid as row, staged.file, staged.row_hash
    from staging.staged staged
    semi join before using (file, row_hash)
    anti join repeated using (file, row_hash)
),
several as (
    select row, file, row_hash
    from (
        select
            staged.rowid as row, staged.file, staged.row_hash,
            row_number() over (partition by staged.file, staged.row_hash order by staged.rowid) as nth,
            before.times
        from staging.staged staged
        semi join repeated using (file, row_hash)
        join before using (file, row_hash)
    )
    where nth <= times
)
from once
union all
from several
