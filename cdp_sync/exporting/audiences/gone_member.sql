-- Members that were taken off a list, or put on it again, under any key; also of profiles that were merged into them.
delete from warehouse.list_member
where rowid in (
    select member.rowid
    from warehouse.list_member member
    left join warehouse.profile profile on profile.profile_id = member.profile_id
    where member.connection = $connection and member.goal = $goal
        and (coalesce(profile.merged_into, member.profile_id), member.list) in (
            select (profile_id, list) from staging.gone
            union all
            select (profile_id, unnest(lists)) from staging.selected where ending in ('written', 'not_deliverable')
        )
)
