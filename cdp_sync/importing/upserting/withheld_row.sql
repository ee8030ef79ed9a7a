-- Rows of profiles that may not be processed belong to nobody.
update staging.assigned
set profile_id = null, outcome = 'without_consent'
where profile_id in (from withheld_profile)
