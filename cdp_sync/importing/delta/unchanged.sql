-- Rows that the previous import of their file applied. Only rows that repeat need counting: as many of them are
-- unchanged as were there before.
create or replace table staging.unchanged as
with before as (select file, row_hash from staging.previous_row where same_fingerprint and applied),
repeated as materialized (
    select file, row_hash
    from staging.staged
    join staging.file file using (file)
    where file.same_fingerprint
    group by file, row_hash
    having count(*) > 1
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
