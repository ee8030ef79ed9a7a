create or replace temp table candidate_place as
select rowid as place
from warehouse.profile
where profile_id in (select distinct profile_id from staging.candidate)
