-- Rows of profiles that may not be processed have no profile.
update staging.assigned
set profile_id = null, outcome = 'without_consent'
where profile_id in (from withheld_profile)
