-- Which of the goal's rows in the ledger are to be written anew.
delete from warehouse.exported_profile
where goal_number = $goal_number
    and profile_id in (select profile_id from staging.profile_end where row_hash is not null)
