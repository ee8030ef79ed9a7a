-- Who was taken off a list is sent again on coming back, with whatever values.
delete from warehouse.exported_profile
where goal_number = $goal_number and profile_id in (
    select profile_id from staging.gone
    except
    select profile_id from staging.profile_end where ending = 'written'
)
