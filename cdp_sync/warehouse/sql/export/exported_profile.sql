-- What was delivered; of profiles that are the same, only the hash of their values may be another one.
insert into warehouse.exported_profile by name
select $connection as connection, $goal as goal, profile_id, row_hash, value_hash
from staging.profile_end
where row_hash is not null
