-- Amounts to take back: from profiles that rows no longer belong to.
create or replace temp table reversal as
select contribution.profile_id, contribution.file, contribution.sums
from contribution
join staging.assigned assigned using (row)
where contribution.moved and assigned.profile_id is not null and contribution.sums is not null
