-- Parts of these whose own values were not looked at yet: they may lead further.
create or replace temp table sought_profile as
select profile_id
from (
    select live_id as profile_id from concerned
    union all
    select profile_id from warehouse.profile where merged_into in (from concerned)
)
anti join seen_profile using (profile_id)
