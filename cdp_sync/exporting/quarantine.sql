-- Profiles that could not be delivered, by id: their values are personal.
insert into warehouse.quarantine by name
select
    $run_id as run_id, $connection as connection, $goal as goal, $path as path, told.field as field,
    profile_id::text as raw, told.reason as reason, 'profiles_not_deliverable' as kind
from (
    select profile_id, unnest(from_json(problems, '[{"field": "VARCHAR", "reason": "VARCHAR"}]')) as told
    from staging.profile_end
    where ending = 'not_deliverable'
)
