-- The profiles by themselves that have an id, or the value of an identifier, the newest first; and who shows them.
select profile_id, coalesce(merged_into, profile_id) as live_id
from warehouse.profile
where profile_id = try_cast($value as uuid)
    or profile_id in (select profile_id from warehouse.linking_identifier where value in ($value, lower($value), $folded))
order by created_at desc, profile_id desc
