-- The entries of the goal's ledger that are written anew, or whose events are not in their files any more; also those
-- of events that could not be delivered and are not in the warehouse any more.
delete from warehouse.exported_event
where goal_number = $goal_number
    and day in (select day from staging.selected where is_known and (is_due or is_gone or ending = 'not_deliverable'))
    and (event_type, event_hash) in (
        select (event_type, event_hash)
        from staging.selected
        where is_known and (is_due or is_gone or ending = 'not_deliverable')
    )
