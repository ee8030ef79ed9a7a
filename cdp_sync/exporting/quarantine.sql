-- Profiles that could not be delivered, by id: their values are personal.
insert into warehouse.quarantine by name
select
    $run_id as run_id, $connection as connection, $goal as goal, $path as path, problem.field as field,
    profile_id::text as raw, problem.reason as reason, 'profiles_not_deliverable' as kind
from (
    select profile_id, unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as problem
    from staging.selected
    where ending = 'not_deliverable'
)
