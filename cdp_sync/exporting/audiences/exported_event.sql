-- What was sent. Events that were refused are there without a digest: they are sent again.
insert into warehouse.exported_event by name
select $goal_number as goal_number, event_type, day, event_hash, row_hash from staging.event_end order by day
