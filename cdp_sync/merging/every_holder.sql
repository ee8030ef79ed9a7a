-- Who has these values.
create or replace temp table every_holder as
select property, value, profile_id
from warehouse.linking_identifier
semi join every_shared_value using (property, value)
