-- What was delivered; of profiles that are the same, only the hash of their values may be another one.
insert into warehouse.exported_profile by name
select $goal_number as goal_number, profile_id, row_hash, value_hash
from staging.profile_end
where row_hash is not null
