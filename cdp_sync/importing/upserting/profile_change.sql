insert into warehouse.profile_change by name
select $run_id as run_id, profile_id, 'created' as kind, $now as changed_at, null as properties
from touched_profile where is_new
union all by name
select $run_id as run_id, profile_id, 'updated' as kind, $now as changed_at, _changed as properties from changed_profile
