-- Rows that cannot count: those without a key, and those whose key a later row of their file has as well.
create or replace table staging.set_aside as
select
    rowid as row, file, row_key,
    case when row_key is null then 'no value in the fields of row_key'
        else 'a later row of the file has the same row_key; the last one counts' end as reason
from staging.staged
where filtered = 0 and file in (select file from staging.file where state in ('staged', 'retried'))
qualify row_key is null or rowid < max(rowid) over (partition by file, row_key)
