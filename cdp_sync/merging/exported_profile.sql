-- What was delivered of profiles that were merged, or are live again, does not count any more: they are sent anew.
update warehouse.exported_profile
set row_hash = null, value_hash = null
where profile_id in (select profile_id from cluster where (old_live = profile_id) <> (new_live = profile_id))
