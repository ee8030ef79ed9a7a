update file_counters counters
set events_created = outcome.created, events_updated = outcome.updated, events_unchanged = outcome.unchanged,
    events_waiting = outcome.waiting
from (
    select
        file,
        coalesce(sum(created), 0) as created,
        coalesce(sum(updated), 0) as updated,
        coalesce(sum(touched), 0) - coalesce(sum(created), 0) - coalesce(sum(updated), 0) as unchanged,
        coalesce(sum(waiting), 0) as waiting
    from event_outcome
    group by file
) outcome
where outcome.file = counters.file
