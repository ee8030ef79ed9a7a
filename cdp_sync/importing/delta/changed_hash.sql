-- Digests that a file holds more or less often than its previous import applied them. All other rows are unchanged, or
-- of a file that was imported under another declaration. A row that was not applied makes its digest differ.
create or replace table staging.changed_hash as
with counted as (
    select file, staged.row_hash, 1::double as times
    from staging.staged staged
    join staging.file file using (file)
    where file.same_fingerprint and file.state = 'staged' and staged.filtered = 0
    union all
    select file.file, row.row_hash, case when row.applied then -1 else 'infinity'::double end
    from staging.file file
    join warehouse.imported_row row using (source)
    where file.same_fingerprint and file.state = 'staged'
)
select file, row_hash
from counted
group by file, row_hash
having sum(times) <> 0
