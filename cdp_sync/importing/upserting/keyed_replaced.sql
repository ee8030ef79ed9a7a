-- Keys whose former content is replaced, and the row that replaces it.
create or replace temp table replaced as
select before.*, guard.row, staged.file, assigned.profile_id as new_profile_id
from guard
join keyed_before before using (row_key)
join staging.assigned assigned on assigned.row = guard.row
join staging.staged staged on staged.rowid = guard.row
where guard.counts and assigned.profile_id is not null
