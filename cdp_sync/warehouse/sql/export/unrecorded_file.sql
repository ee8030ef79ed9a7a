-- The same run recorded before, if it was: it is told once.
delete from warehouse.exported_file
where connection = $connection and goal = $goal and run_id = $run_id
