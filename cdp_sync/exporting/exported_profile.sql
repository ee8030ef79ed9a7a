-- What was delivered. Of profiles that are the same, only the hash of their values can differ.
insert into warehouse.exported_profile by name
select $goal_number as goal_number, profile_id, row_hash, value_hash
from staging.selected
where row_hash is not null
