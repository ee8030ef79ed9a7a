-- Rows that are unchanged by their key belong to their file as well, also where another file brought them.
insert into warehouse.imported_row by name
select file.source, staged.row_hash, true as applied, before.profile_id, before.sums
from staging.unchanged unchanged
join staging.staged staged on staged.rowid = unchanged.row
join staging.file file on file.file = staged.file
join staging.previous_by_key before on before.row_key = staged.row_key
