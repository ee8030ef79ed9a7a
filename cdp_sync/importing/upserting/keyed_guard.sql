-- What the rows to apply have added before. Of several rows with one key the last that is applied counts; what a key
-- has added is known by the key, and only where that is new by the row of its file.
create or replace temp table guard as
select
    assigned.row,
    staged.row_key,
    former.file,
    former.profile_id,
    case when before.row_key is null then former.sums end as sums,
    before.sums as key_sums,
    coalesce(assigned.row = max(assigned.row) filter (assigned.profile_id is not null) over (partition by staged.row_key),
        false) as counts,
    coalesce(former.profile_id <> assigned.profile_id, false) as moved
from staging.assigned assigned
join staging.staged staged on staged.rowid = assigned.row
left join keyed_before before using (row_key)
left join staging.former former on former.row = assigned.row
