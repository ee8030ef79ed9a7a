-- Of claims that exclude each other the earliest is granted: one profile a value, one value a single property.
insert into staging.granted by name
from claim
qualify rank = min(rank) over (partition by property, value)
    and (multiple or rank = min(rank) over (partition by property, profile_id))
