-- Events that could not be sent, by type and id.
insert into warehouse.quarantine by name
select $run_id as run_id, $connection as connection, $goal as goal, concat(event_type, ' ', event_id) as raw,
    reason, 'events_not_deliverable' as kind
from staging.event_end
where row_hash is null
