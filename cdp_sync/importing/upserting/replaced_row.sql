-- Keys whose previous content is replaced, and the row that replaces it.
create or replace temp table replaced_row as
select before.*, contribution.row, staged.file
from contribution
join staging.previous_by_key before using (row_key)
join staging.assigned assigned on assigned.row = contribution.row
join staging.staged staged on staged.rowid = contribution.row
where contribution.counts and (assigned.profile_id is not null or assigned.outcome = 'applied')
