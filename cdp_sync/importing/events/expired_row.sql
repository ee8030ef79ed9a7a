-- Rows about events that were removed because of their age: these do not come back.
create or replace temp table expired_row as
select _row, _file, event_id
from event_row
where uuid_of(md5_number(event_id)) in (select event_hash from warehouse.expired_event where event_type = $type)
