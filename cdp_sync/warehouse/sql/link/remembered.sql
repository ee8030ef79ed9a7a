-- The rows of the previous imports of these files; of rows that are tried again, what they have added before.
create or replace temp table remembered as
select file.file, file.same_fingerprint, row.row_hash, row.applied, row.profile_id, row.sums
from staging.file file
join warehouse.imported_row row using (source)
where file.state = 'staged'
    or file.state = 'retried' and not row.applied
        and row.row_hash in (select row_hash from staging.staged where staged.file = file.file)
