-- Profiles whose values the file cannot hold: told by their id, never by value.
insert into warehouse.quarantine by name
select
    $run_id as run_id, $connection as connection, $goal as goal, $path as path,
    problem.field as field, 'profile ' || profile_id as raw, problem.reason as reason
from (select profile_id, unnest(problems) as problem from staging.profile_end where ending = 'not_deliverable')
