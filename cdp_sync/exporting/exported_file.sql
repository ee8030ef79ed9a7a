insert into warehouse.exported_file by name
select
    $connection as connection, $goal as goal, $path as path, $size as size, $sha256 as sha256,
    $fingerprint as fingerprint, $run_id as run_id, now() as exported_at, $segment as segment, $rows as rows
