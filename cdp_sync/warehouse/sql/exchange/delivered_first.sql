-- Profiles of the file that no goal of the connection has delivered before.
select count(*)
from (select profile_id from staging.profile_end where ending = 'written')
anti join (select profile_id from warehouse.exported_profile where connection = $connection) using (profile_id)
