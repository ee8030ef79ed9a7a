-- Members that were taken off a list, or put on it again, under any key.
delete from warehouse.list_member
where connection = $connection and goal = $goal
    and (profile_id, list) in (
        select profile_id, list from staging.gone
        union all
        select profile_id, unnest(lists) from staging.selected where ending in ('written', 'not_deliverable')
    )
