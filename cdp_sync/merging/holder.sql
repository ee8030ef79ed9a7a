-- The profiles that share a value, where it identifies somebody: not where too many have it.
create or replace temp table holder as
select property, value, profile_id
from warehouse.linking_identifier
semi join (from shared_value where holders <= $most) using (property, value)
