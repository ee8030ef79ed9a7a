-- The profiles that rows are about, less the new ones that share nothing with others; and those that have a value that one
-- of them lost, unless too many have it.
create or replace temp table checked_profile as
select profile_id from touched_profile where not is_new or profile_id in (select profile_id from merge_candidate)
union
select unnest(holders)
from (
    select list(profile_id) as holders
    from warehouse.linking_identifier
    semi join lost_value using (property, value)
    group by property, value
)
where len(holders) <= $most
