-- Days that an event of a type is no longer of, because its time has changed. written_at: of that event, as it is then.
create table warehouse.left_day (
    event_type text,
    day date,
    written_at timestamptz
);

-- How many responses a mailing had when they were delivered; null: it was not counted.
alter table warehouse.exported_mailing add column events bigint;
