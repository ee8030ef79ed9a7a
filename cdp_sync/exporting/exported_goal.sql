insert into warehouse.exported_goal
select $connection, $goal, (select coalesce(max(number), 0) + 1 from warehouse.exported_goal)
where not exists (from warehouse.exported_goal where connection = $connection and goal = $goal)
