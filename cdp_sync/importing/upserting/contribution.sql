-- What the rows to apply added before, and whether to another profile.
create or replace temp table contribution as
select
    previous.row, previous.file, previous.profile_id, previous.sums,
    true as counts,
    coalesce(previous.profile_id <> assigned.profile_id, false) as moved
from staging.previous previous
join staging.assigned assigned using (row)
where previous.sums is not null
