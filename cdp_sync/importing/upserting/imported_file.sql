insert into warehouse.imported_file by name
select
    $connection as connection, $goal as goal, $fingerprint as fingerprint, $run_id as run_id, $now as imported_at,
    $format as format, $links as links, $sums as sums,
    file.path, file.size, file.modified_at, file.sha256, file.source, file.fields, file.source_fields,
    counters.* exclude (file)
from staging.file file
join file_counters counters using (file)
where file.state = 'staged'
