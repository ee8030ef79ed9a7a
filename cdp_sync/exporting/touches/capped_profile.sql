-- Profiles that the goal found at their cap, until the next run of the goal.
insert into warehouse.capped_profile by name
select $connection as connection, $goal as goal, profile_id, capped_until as until
from staging.selected
where ending = 'capped'
