-- Rows whose key last brought the same content, in whatever file, under the same declaration; not those after a row
-- of this run with the same key and other content.
create or replace table staging.unchanged as
with compared as (
    select
        staged.rowid as row, staged.file, staged.row_hash, staged.row_key,
        coalesce(before.row_hash = staged.row_hash and before.fingerprint = $fingerprint, false) as same
    from staging.staged staged
    left join staging.previous_by_key before using (row_key)
    where staged.filtered = 0 and staged.rowid not in (select row from staging.set_aside)
        and staged.file in (select file from staging.file where state in ('staged', 'retried'))
)
select row, file, row_hash
from compared
qualify bool_and(same) over (partition by row_key order by row)
