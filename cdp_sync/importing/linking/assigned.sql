-- Every fresh row and what became of it; alone: no other row has its profile. Most new profiles have one row, which
-- needs no join to find its profile and, later, no grouping to be told apart.
create or replace table staging.assigned as
select row, profile_id, 'matched' as outcome, ambiguous, false as alone from matched
union all
select label.row, spread.profile_id, 'matched', false, false from label join spread using (label)
union all
select label, profile_id, 'new', false, alone from new_profile where $allow_new
union all
select label.row, new_profile.profile_id, 'new', false, false
from label
join new_profile using (label)
where label.row <> label.label and $allow_new
union all
select row, null, 'unmatched', false, false from label anti join spread using (label) where not $allow_new
union all
select row, null, 'without_identifier', false, false from nameless
