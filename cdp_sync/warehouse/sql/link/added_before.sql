-- Under a changed declaration all rows are applied again, but a row is never summed twice: which properties each has
-- been added to. Rows are told apart as the previous import told them apart.
create or replace table staging.added_before as
with before as (
    select
        file, row_hash, added,
        row_number() over (partition by file, row_hash order by len(added) desc nulls last) as nth
    from remembered
    where not same_fingerprint
),
now as (
    select
        staged.rowid as row, file.file, coalesce(staged.previous_hash, staged.row_hash) as row_hash,
        row_number() over (
            partition by file.file, coalesce(staged.previous_hash, staged.row_hash) order by staged.rowid
        ) as nth
    from staging.staged staged
    join staging.file file using (file)
    where not file.same_fingerprint
)
select now.row, before.added
from now
join before using (file, row_hash, nth)
where before.added is not null
