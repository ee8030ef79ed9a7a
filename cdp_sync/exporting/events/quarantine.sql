-- Events that could not be delivered, by type and id.
insert into warehouse.quarantine by name
select
    $run_id as run_id, $connection as connection, $goal as goal, problem.field as field,
    concat(event_type, ' ', event_id) as raw, problem.reason as reason, 'events_not_deliverable' as kind
from (
    select
        event_type, event_id,
        unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as problem
    from staging.selected
    where ending = 'not_deliverable'
)
