-- Rows that added amounts and that their file no longer holds, as often as they are missing.
create or replace temp table vanished_row as
with again as (
    select
        file.file,
        case when file.same_fingerprint then staged.row_hash
            else coalesce(read_before.row_hash, staged.previous_hash, staged.row_hash) end as row_hash
    from staging.staged staged
    join staging.file file using (file)
    left join staging.read_before read_before on read_before.row = staged.rowid
    where file.state = 'staged' and staged.filtered = 0
),
before as (
    select file, read_hash as row_hash, count(*) as times, any_value(profile_id) as profile_id, any_value(sums) as sums
    from staging.previous_row
    where sums is not null and profile_id is not null
    group by file, read_hash
),
now as (
    select file, row_hash, count(*) as times from again semi join before using (file, row_hash) group by file, row_hash
)
select before.file, before.row_hash, before.profile_id, before.sums, before.times - coalesce(now.times, 0) as times
from before
left join now using (file, row_hash)
where before.times > coalesce(now.times, 0)
