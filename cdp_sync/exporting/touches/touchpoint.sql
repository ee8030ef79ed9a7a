-- A touch of each profile written; those that this goal has reserved are there.
insert into warehouse.touchpoint by name
select
    $lifecycle as lifecycle, stage, profile_id, $connection as connection, $goal as goal, $run_id as run_id,
    'export' as kind, $now as happened_at
from staging.selected
where ending = 'written' and profile_id not in (
    select profile_id
    from warehouse.touchpoint
    where connection = $connection and goal = $goal and run_id in (
        select run_id from warehouse.touch_reservation where connection = $connection and goal = $goal
    )
)
