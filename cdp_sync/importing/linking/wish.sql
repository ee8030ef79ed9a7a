-- What matched profiles could take: link values that nobody holds, for a single property where theirs is empty.
create or replace temp table wish as
select
    row_number() over (order by v.row, v.link, v.place) + (select count(*) from link_value) * $phase as rank,
    v.property, v.value, v.multiple, owner.profile_id
from link_value v
join owner using (row)
anti join warehouse.profile_identifier held on held.property = v.property and held.value = v.value
anti join staging.granted taken on taken.property = v.property and taken.value = v.value
anti join warehouse.profile_identifier own
    on not v.multiple and own.property = v.property and own.profile_id = owner.profile_id
anti join staging.granted gained
    on not v.multiple and gained.property = v.property and gained.profile_id = owner.profile_id
