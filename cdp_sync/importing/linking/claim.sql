-- Rule 2. What matched profiles can take: link values that no profile holds; for a single property only where theirs
-- is empty.
create or replace temp table claim as
select
    row_number() over (order by v.row, v.link, v.place) + (select count(*) from link_value) * $phase as rank,
    v.property, v.value, v.multiple, claimant.profile_id
from link_value v
join {claimant} claimant using (row)
anti join {identifiers} held on held.property = v.property and held.value = v.value
anti join staging.granted taken on taken.property = v.property and taken.value = v.value
anti join {identifiers} own
    on not v.multiple and own.property = v.property and own.{key} = claimant.profile_id
anti join staging.granted gained
    on not v.multiple and gained.property = v.property and gained.profile_id = claimant.profile_id
