-- Amounts to take back: from profiles that rows no longer belong to.
create or replace temp table back_entry as
select guard.profile_id, guard.file, guard.sums
from guard
join staging.assigned assigned using (row)
where guard.moved and assigned.profile_id is not null and guard.sums is not null
