-- Touches that this goal reserved for runs that have not recorded what they delivered.
delete from warehouse.touchpoint
where connection = $connection and goal = $goal and run_id in (
    select run_id from warehouse.touch_reservation where connection = $connection and goal = $goal
)
