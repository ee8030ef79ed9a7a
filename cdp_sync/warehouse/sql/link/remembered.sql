-- The rows of the previous imports of these files.
create or replace temp table remembered as
select file.file, file.same_fingerprint, row.row_hash, row.applied, row.profile_id, row.sums
from staging.file file
join warehouse.imported_row row using (source)
where file.state = 'staged'
