-- Profiles that this run is about to put on lists. Where an earlier run was about to and never recorded its end, its
-- moment counts: that run may have put them there.
insert into warehouse.list_intent by name
select $connection as connection, $goal as goal, profile_id, $now as began
from staging.selected
where ending = 'written' and profile_id not in (
    select profile_id from warehouse.list_intent where connection = $connection and goal = $goal
)
