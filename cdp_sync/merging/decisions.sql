select decision.*
from warehouse.decision decision
where ($rule is null or decision.rule = $rule)
    and ($profile is null or len(list_intersect([decision.left_id, decision.right_id], (
        select list(profile_id)
        from warehouse.profile
        where coalesce(merged_into, profile_id) in (
            select coalesce(merged_into, profile_id)
            from warehouse.profile
            where profile_id = try_cast($profile as uuid)
                or profile_id in (
                    select profile_id from warehouse.linking_identifier where value in ($profile, lower($profile))
                )
        )
    ))) > 0)
