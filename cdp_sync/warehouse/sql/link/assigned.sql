-- Every fresh row and what became of it.
create or replace table staging.assigned as
select row, profile_id, 'matched' as outcome, ambiguous from matched
union all
select label.row, spread.profile_id, 'matched', false from label join spread using (label)
union all
select label.row, new_profile.profile_id, 'new', false from label join new_profile using (label) where $allow_new
union all
select row, null, 'unmatched', false from label anti join spread using (label) where not $allow_new
union all
select row, null, 'without_identifier', false from staging.fresh anti join (select row from link_value) using (row)
