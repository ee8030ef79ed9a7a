-- The claims that can still be granted.
create or replace temp table claim as
from claim
anti join staging.granted taken on taken.property = claim.property and taken.value = claim.value
anti join staging.granted filled
    on not claim.multiple and filled.property = claim.property and filled.profile_id = claim.profile_id
