-- Every remaining group becomes one new profile. A group is named after its first row; alone: it has no other.
create or replace temp table new_profile as
select label, uuidv7() as profile_id, label not in (select label from label where row <> label) as alone
from label
anti join spread using (label)
where label.row = label.label
