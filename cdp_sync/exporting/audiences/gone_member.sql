-- Members that were taken off a list, or put on it again, under any key. Another user, of a profile that was merged into
-- this one, stays known until it is taken off.
delete from warehouse.list_member
where connection = $connection and goal = $goal and (
    (profile_id, list, key, id) in (select (profile_id, list, key, id) from staging.gone)
    or (profile_id, list) in (
        select (profile_id, unnest(lists)) from staging.selected where ending in ('written', 'not_deliverable')
    )
)
