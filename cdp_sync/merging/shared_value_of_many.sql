-- Those of them that a sought profile has.
insert into shared_value
from every_shared_value
semi join (
    select property, value from every_holder semi join sought_profile using (profile_id)
) mine using (property, value)
anti join shared_value using (property, value)
