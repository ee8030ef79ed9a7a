-- Tables of events and groups are made when their types are declared: event_<type>, group_<type>.
-- What runs did to events and groups, and what they exported of events.
alter table warehouse.run add column events_created bigint;
alter table warehouse.run add column events_updated bigint;
alter table warehouse.run add column events_unchanged bigint;
alter table warehouse.run add column events_waiting bigint;
alter table warehouse.run add column groups_created bigint;
alter table warehouse.run add column groups_updated bigint;
alter table warehouse.run add column groups_unchanged bigint;
alter table warehouse.run add column events_in_window bigint;
alter table warehouse.run add column events_without_consent bigint;
alter table warehouse.run add column events_without_items bigint;
alter table warehouse.run add column events_not_deliverable bigint;
alter table warehouse.run add column events_same bigint;
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
-- row_hash: digest of its rows as they were written and of the goal's fingerprint; null where it could not be delivered.
create table warehouse.exported_event (
    goal_number integer,
    event_type text,
    day date,
    event_hash uuid,
    row_hash uuid
);

-- How far a goal has looked for new events of a type: all that were written until this moment.
-- day: the last whole day that it has delivered. scope: digest of what decides which events it exports, and how.
create table warehouse.exported_until (
    goal_number integer,
    event_type text,
    written_at timestamptz,
    day date,
    scope text
);

-- The profiles whose events a goal has sent to a platform, those of before `exported_until` included.
create table warehouse.exported_event_profile (
    goal_number integer,
    profile_id uuid
);
