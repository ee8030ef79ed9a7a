-- How far the goal has looked at types that it names no more: when it names them again, it looks at all of their events.
delete from warehouse.exported_until
where goal_number = $goal_number and not list_contains($types::text[], event_type)
