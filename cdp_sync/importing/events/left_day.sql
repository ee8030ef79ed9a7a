-- The days that changed events are no longer of: files of these days that were delivered hold them still.
insert into warehouse.left_day by name
select distinct
    $type as event_type, make_timestamp(epoch_us(_happened_before))::date as day,
    $written_at::timestamptz as written_at
from changed_event
where not _is_new
    and make_timestamp(epoch_us(_happened_before))::date <> make_timestamp(epoch_us(happened_at))::date
