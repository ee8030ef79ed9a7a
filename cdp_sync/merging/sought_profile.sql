-- Parts of these whose own values were not looked at yet: they may lead further.
create or replace temp table sought_profile as
select profile_id
from warehouse.profile
where coalesce(merged_into, profile_id) in (from concerned)
    and profile_id not in (select profile_id from seen_profile)
