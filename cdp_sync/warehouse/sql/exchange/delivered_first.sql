-- Profiles of the file that no goal of the connection has delivered before. Most of a file of changes are known already.
select count(*)
from (select profile_id from staging.profile_end where ending = 'written' and not in_ledger)
anti join (
    select profile_id
    from warehouse.exported_profile
    where goal_number in (select number from warehouse.exported_goal where connection = $connection)
) using (profile_id)
