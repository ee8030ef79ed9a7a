-- Touches that were reserved for profiles that were not delivered.
delete from warehouse.touchpoint
where connection = $connection and goal = $goal
    and run_id in (select run_id from warehouse.touch_reservation where connection = $connection and goal = $goal)
    and profile_id not in (select profile_id from staging.selected where ending = 'written')
