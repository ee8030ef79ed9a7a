-- Tables of events and groups are made when their types are declared: event_<type>, group_<type>.
-- What runs did to events and groups, and what they exported of events.
alter table warehouse.run add column events_created bigint;
alter table warehouse.run add column events_updated bigint;
alter table warehouse.run add column events_unchanged bigint;
alter table warehouse.run add column events_waiting bigint;
alter table warehouse.run add column groups_created bigint;
alter table warehouse.run add column groups_updated bigint;
alter table warehouse.run add column groups_unchanged bigint;
alter table warehouse.run add column events_written bigint;
alter table warehouse.imported_file add column events_created bigint;
alter table warehouse.imported_file add column events_updated bigint;
alter table warehouse.imported_file add column events_unchanged bigint;
alter table warehouse.imported_file add column events_waiting bigint;
alter table warehouse.imported_file add column groups_created bigint;
alter table warehouse.imported_file add column groups_updated bigint;
alter table warehouse.imported_file add column groups_unchanged bigint;

-- Events that were removed because they were older than their type keeps them: an old file does not bring them back.
create table warehouse.expired_event (
    event_type text,
    event_hash uuid
);

-- What a goal has delivered of each event. day: on which it happened, in UTC: a run looks at the days of its events only.
create table warehouse.exported_event (
    goal_number integer,
    event_type text,
    day date,
    event_hash uuid,
    row_hash uuid
);

-- How far a goal has looked for new events: all that were written before this moment.
create table warehouse.exported_until (
    goal_number integer,
    written_at timestamptz
);
