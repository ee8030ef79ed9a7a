-- What was delivered, in order of time as it is staged, so that row groups of other days are skipped. Events that could
-- not be delivered are there without a digest: they are looked at again.
insert into warehouse.exported_event by name
select $goal_number as goal_number, event_type, day, event_hash, row_hash
from staging.selected
where ending in ('written', 'not_deliverable')
