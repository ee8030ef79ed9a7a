-- A profile that was taken off a list is sent again when it is back, whatever its values; the row stays, for it counts
-- as exported.
update warehouse.exported_profile
set row_hash = null, value_hash = null
where goal_number = $goal_number and profile_id in (
    select profile_id from staging.gone
    except
    select profile_id from staging.selected where ending = 'written'
)
