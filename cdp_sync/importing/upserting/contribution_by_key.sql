-- What the rows to apply added before. Of several rows with one key the last that is applied counts. What a key added
-- is known by the key, and only where that is new by the row of its file.
create or replace temp table contribution as
select
    assigned.row, staged.row_key, previous.file, previous.profile_id,
    case when before.row_key is null then previous.sums end as sums,
    before.sums as key_sums,
    coalesce(assigned.row = max(assigned.row) filter (assigned.profile_id is not null or assigned.outcome = 'applied')
        over (partition by staged.row_key),
        false) as counts,
    coalesce(previous.profile_id <> assigned.profile_id, false) as moved
from staging.assigned assigned
join staging.staged staged on staged.rowid = assigned.row
left join staging.previous_by_key before using (row_key)
left join staging.previous previous on previous.row = assigned.row
