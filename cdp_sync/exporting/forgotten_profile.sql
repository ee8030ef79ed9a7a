-- The rows of the goal's ledger that are written anew.
delete from warehouse.exported_profile
where goal_number = $goal_number
    and profile_id in (select profile_id from staging.selected where row_hash is not null)
