-- The entries of the goal's ledger that are written anew.
delete from warehouse.exported_mailing
where goal_number = $goal_number and mailing in (select mailing from staging.mailing)
