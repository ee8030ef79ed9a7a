-- The rows of the previous imports of these files, but for those that are all unchanged; of retried rows, what they have
-- added before. Where no row is retried, the inner join is empty at once, and the staged rows are not read.
create or replace table staging.previous_row as
select
    file.file, file.same_fingerprint, row.row_hash, row.source_hash, row.applied, row.profile_id, row.sums,
    case when file.same_fingerprint then row.row_hash else coalesce(row.source_hash, row.row_hash) end as read_hash
from staging.file file
join warehouse.imported_row row using (source)
where file.state = 'staged' and {compared}
union all by name
select
    file.file, file.same_fingerprint, row.row_hash, row.source_hash, row.applied, row.profile_id, row.sums,
    case when file.same_fingerprint then row.row_hash else coalesce(row.source_hash, row.row_hash) end as read_hash
from staging.file file
join warehouse.imported_row row using (source)
semi join (
    select staged.file, staged.row_hash
    from staging.staged staged
    join staging.file file on file.file = staged.file and file.state = 'retried'
) staged on staged.file = file.file and staged.row_hash = row.row_hash
where file.state = 'retried' and not row.applied
