-- All profiles that a live one shows, by their own ids, the oldest first.
select profile_id
from warehouse.profile_by_itself
where coalesce(merged_into, profile_id) = $live
order by created_at, profile_id
