-- Rows stay with the profile that they were applied to before, as long as their identifiers are the same.
create or replace temp table stays as
select former.row, former.profile_id
from staging.former former
join warehouse.profile profile using (profile_id)
semi join link_value on link_value.row = former.row
where profile.merged_into is null and former.file in (select file from staging.file where same_links)
