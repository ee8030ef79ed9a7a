insert into warehouse.removed_file by name
select
    $connection as connection, $goal as goal, $path as path, $delivered_by as delivered_by, $outcome as outcome,
    now() as removed_at
