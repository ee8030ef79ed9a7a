-- What was delivered of profiles that got or lost others does not count any more: they are sent anew.
update warehouse.exported_profile
set row_hash = null, value_hash = null
where profile_id in (
    with changed as (select unnest([old_live, new_live]) as live_id from cluster where old_live <> new_live)
    select unnest([profile_id, old_live, new_live])
    from cluster
    where old_live in (from changed) or new_live in (from changed)
)
