insert into back_entry
select profile_id, file, sums from replaced where sums is not null
union all
select former.profile_id, former.file, former.sums
from staging.former former
join staging.set_aside aside using (row)
anti join keyed_before before on before.row_key = aside.row_key
where former.sums is not null and former.profile_id is not null
