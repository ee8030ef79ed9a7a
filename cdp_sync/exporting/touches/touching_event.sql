
        union all
        select here.profile_id, event.happened_at
        from here
        join {table} event on event.profile_id = here.profile_id
        where event.happened_at {later} $since and event.happened_at >= here.entered_at and event.happened_at <= $now
            and list_contains(${stages}::text[], here.stage)