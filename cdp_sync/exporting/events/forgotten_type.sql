-- The entries of types that the goal names no more and whose events were in files that are written anew: they are not in
-- them any more. Without days there is one file of everything.
delete from warehouse.exported_event
where goal_number = $goal_number
    and not list_contains($types::text[], event_type)
    and (not $by_day or day in (select day from staging.selected where is_due))
