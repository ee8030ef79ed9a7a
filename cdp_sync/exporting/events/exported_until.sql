-- How far the goal has looked at the events of each type.
insert into warehouse.exported_until by name
select $goal_number as goal_number, event_type, written_at, day, scope
from staging.reached
