-- Under a changed declaration all rows are applied again, and so are rows that were not applied before; but no row is
-- summed twice: which properties each has been added to. Rows are told apart as the previous import told them apart.
create or replace table staging.added_before as
with before as (
    select
        file, row_hash, added,
        row_number() over (partition by file, row_hash order by len(added) desc nulls last, added) as nth
    from remembered
    where not (same_fingerprint and applied)
),
again as (
    select
        staged.rowid as row, file.file,
        case when file.same_fingerprint then staged.row_hash
            else coalesce(staged.previous_hash, staged.row_hash) end as row_hash
    from staging.staged staged
    join staging.file file using (file)
    where (select count(*) from before) > 0
        and not (file.same_fingerprint and staged.rowid in (select row from staging.unchanged))
),
now as (
    select row, file, row_hash, row_number() over (partition by file, row_hash order by row) as nth from again
)
select now.row, before.added
from now
join before using (file, row_hash, nth)
where before.added is not null
