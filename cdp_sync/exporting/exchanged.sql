-- Count the profiles written that no goal of the connection delivered before. Most of an export of changes are known.
update warehouse.data_exchange
set profiles = profiles + (
    select count(*)
    from (select profile_id from staging.selected where ending = 'written' and not in_ledger)
    anti join (
        select profile_id
        from warehouse.exported_profile
        where goal_number in (select number from warehouse.exported_goal where connection = $connection)
    ) using (profile_id)
)
where connection = $connection and direction = 'export'
