-- Shared values less those that no checked profile has.
delete from shared_value
where (property, value) not in (
    select (property, value)
    from (select * from warehouse.linking_identifier semi join shared_value using (property, value))
    semi join checked_profile using (profile_id)
)
