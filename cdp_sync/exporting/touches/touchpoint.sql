-- A touch of each profile written; those that this goal has reserved are there. No touch is earlier than the stage that it
-- counts in: another machine, whose clock is ahead, may have kept that stage.
insert into warehouse.touchpoint by name
select
    $lifecycle as lifecycle, stage, profile_id, $connection as connection, $goal as goal, $run_id as run_id,
    'export' as kind, greatest($now::timestamptz, entered.since) as happened_at
from staging.selected
left join (
    select profile_id, stage, since from warehouse.lifecycle_stage where lifecycle = $lifecycle
) entered using (profile_id, stage)
where ending = 'written' and profile_id not in (
    select profile_id
    from warehouse.touchpoint
    where connection = $connection and goal = $goal and run_id in (
        select run_id from warehouse.touch_reservation where connection = $connection and goal = $goal
    )
)
