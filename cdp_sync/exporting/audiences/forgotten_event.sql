-- The entries of the goal's ledger that are written anew.
delete from warehouse.exported_event
where goal_number = $goal_number and event_hash in (select event_hash from staging.event_end)
