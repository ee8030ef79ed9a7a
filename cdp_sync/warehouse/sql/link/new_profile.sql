-- Every remaining group becomes one new profile.
create or replace temp table new_profile as
select label, uuidv7() as profile_id
from (select distinct label from label anti join spread using (label))
