-- Rows of a strict goal that have no value where one is needed, unless an earlier import applied them.
create or replace table staging.set_aside as
select rowid as row, file, null::uuid as row_key, refused as reason
from staging.staged
where filtered = 0 and refused is not null
    and file in (select file from staging.file where state in ('staged', 'retried'))
    and rowid not in (select row from staging.unchanged)
