insert into warehouse.exported_profile
select $connection, $goal, profile_id, row_hash, value_hash
from staging.profile_end
where ending in ('written', 'same')
