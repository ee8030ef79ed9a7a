-- Events that were removed because of their age do not come back.
delete from touched_event
where md5_number(event_id)::uuid in (select event_hash from warehouse.expired_event where event_type = $type)
