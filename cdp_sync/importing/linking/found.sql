-- Link values that live profiles hold.
create or replace temp table found as
select v.row, v.link, v.place, identifier.profile_id
from link_value v
join warehouse.profile_identifier identifier using (property, value)
