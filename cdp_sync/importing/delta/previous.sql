-- What each row to apply was in the previous import of its file: the profile that it was applied to, and what it added
-- to sums. Under a changed declaration all rows are applied again, and so are rows that were not applied before.
-- Rows are paired as the previous import read them.
create or replace table staging.previous as
with before as (
    select
        file, read_hash as row_hash, profile_id, sums,
        row_number() over (partition by file, read_hash order by len(sums) desc nulls last, sums, profile_id) as nth
    from staging.previous_row
    where not (same_fingerprint and applied)
),
again as (
    select
        staged.rowid as row, file.file,
        case when file.same_fingerprint then staged.row_hash
            else coalesce(read_before.row_hash, staged.previous_hash, staged.row_hash) end as row_hash
    from staging.staged staged
    join staging.file file using (file)
    left join staging.read_before read_before on read_before.row = staged.rowid
    where (select count(*) from before) > 0 and staged.filtered = 0
        and not (file.same_fingerprint and staged.rowid in (select row from staging.unchanged))
),
now as (select row, file, row_hash, row_number() over (partition by file, row_hash order by row) as nth from again)
select now.row, file, row_hash, nth, before.profile_id, before.sums
from now
join before using (file, row_hash, nth)
