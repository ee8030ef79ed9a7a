create or replace temp table wish_left as
select wish.*
from wish
anti join granted_now taken on taken.property = wish.property and taken.value = wish.value
anti join granted_now filled
    on not wish.multiple and filled.property = wish.property and filled.profile_id = wish.profile_id
