-- The identifiers that leave, by the part that has them.
create or replace temp table leaving_value as
select property, value, profile_id, is_whole
from warehouse.linking_identifier
join every_part using (profile_id)
where value in (select unnest($identifiers)) or value in (select lower(unnest($identifiers)))
