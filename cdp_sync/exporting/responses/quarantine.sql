-- Contacts that could not be delivered, by mailing and id: their values are personal.
insert into warehouse.quarantine by name
select distinct
    $run_id as run_id, $connection as connection, $goal as goal, problem.field as field,
    concat(mailing, ' ', profile_id) as raw, problem.reason as reason, 'events_not_deliverable' as kind
from (
    select mailing, profile_id, unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as problem
    from staging.selected
    where ending = 'not_deliverable'
)
