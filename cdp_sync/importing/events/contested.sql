-- Events whose id came with another person before.
insert into warehouse.quarantine by name
select
    $run_id as run_id, $connection as connection, $goal as goal, file.path,
    concat($type, ' ', changed.event_id) as raw,
    'another person had the event of this id; the later row has it' as reason, 'events_contested' as kind
from changed_event changed
join staging.file file on file.file = changed._file
where changed._contested
