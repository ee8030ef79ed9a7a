-- The profiles whose events were looked at: those of users who exist.
insert into warehouse.exported_event_profile by name
select $goal_number as goal_number, profile_id
from staging.event_profile
where place is null or place in (select place from staging.delivered_user)
