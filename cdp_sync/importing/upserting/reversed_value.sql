-- Values to take off lists: those that replaced rows added and no other row of the goal says for the profile.
create or replace temp table reversed_value as
with previous as (
    select profile_id, property, value, min(file) as file
    from (select profile_id, file, unnest(lists, recursive := true) from replaced_row where lists is not null)
    group by profile_id, property, value
),
others as (
    select profile_id, unnest(lists, recursive := true)
    from warehouse.keyed_row
    where source = $source and row_key not in (select row_key from replaced_row)
        and profile_id in (select profile_id from previous)
)
from previous
anti join others using (profile_id, property, value)
anti join list_value using (profile_id, property, value)
