-- Parts of two live profiles need not stay apart any more.
update warehouse.decision
set revoked_at = $now
where kind = 'keep_apart' and revoked_at is null and (
    (
        left_id in (select profile_id from warehouse.profile where coalesce(merged_into, profile_id) = $left)
        and right_id in (select profile_id from warehouse.profile where coalesce(merged_into, profile_id) = $right)
    )
    or (
        left_id in (select profile_id from warehouse.profile where coalesce(merged_into, profile_id) = $right)
        and right_id in (select profile_id from warehouse.profile where coalesce(merged_into, profile_id) = $left)
    )
)
