-- Values that a row added: those that its profile did not hold before, or held through rows of this goal.
create or replace temp table added_value as
with held as (
    {held}
),
owned as (
    select profile_id, unnest(lists, recursive := true)
    from warehouse.keyed_row
    where source = $source and profile_id in (select profile_id from list_value)
)
select said.row, list({{property: said.property, value: said.value}} order by said.property, said.value) as lists
from (select distinct row, profile_id, property, value from list_value) said
left join held using (profile_id, property, value)
where held.profile_id is null or (said.profile_id, said.property, said.value) in (
    select (profile_id, property, value) from owned
)
group by said.row
