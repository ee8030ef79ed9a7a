-- What the rows to apply have added before, and whether to another profile.
create or replace temp table guard as
select
    former.row,
    former.file,
    former.profile_id,
    former.sums,
    true as counts,
    coalesce(former.profile_id <> assigned.profile_id, false) as moved
from staging.former former
join staging.assigned assigned using (row)
where former.sums is not null
