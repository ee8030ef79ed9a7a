    select profile_id, {until} as until
    from (
        select here.profile_id, touchpoint.happened_at as touched_at
        from here
        join (
            select coalesce(profile.merged_into, counted.profile_id) as profile_id, counted.stage, counted.happened_at
            from warehouse.touchpoint counted
            left join warehouse.profile profile on profile.profile_id = counted.profile_id
            where counted.lifecycle = $lifecycle and counted.happened_at {later} $since
                and not (
                    counted.connection = $connection and counted.goal = $goal and counted.run_id in (
                        select run_id from warehouse.touch_reservation where connection = $connection and goal = $goal
                    )
                )
        ) touchpoint on touchpoint.profile_id = here.profile_id and touchpoint.stage = here.stage
        where touchpoint.happened_at >= here.entered_at{events}
    )
    group by profile_id
    having count(*) >= $times