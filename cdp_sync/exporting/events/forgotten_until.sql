delete from warehouse.exported_until
where goal_number = $goal_number and event_type in (select event_type from staging.reached)
