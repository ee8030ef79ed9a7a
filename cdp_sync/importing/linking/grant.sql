-- Of the wishes that exclude each other the earliest is granted: one profile a value, one value a single property.
create or replace temp table granted_now as
select *
from wish
qualify rank = min(rank) over (partition by property, value)
    and (multiple or rank = min(rank) over (partition by property, profile_id))
