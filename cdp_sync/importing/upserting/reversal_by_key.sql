insert into reversal
select profile_id, file, sums from replaced_row where sums is not null
union all
select previous.profile_id, previous.file, previous.sums
from staging.previous previous
join staging.set_aside aside using (row)
anti join staging.previous_by_key before on before.row_key = aside.row_key
where previous.sums is not null and previous.profile_id is not null
