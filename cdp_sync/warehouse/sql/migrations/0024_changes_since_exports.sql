-- The latest time that a transaction has noted of what it wrote to profiles, groups and events: it only grows.
create table warehouse.clock as select now() as written_at;

-- Profiles that changed without a new time of their own: merged, taken apart, in another stage, or without an event that
-- they had. profile_id: null stands for everybody.
create table warehouse.profile_touch (
    profile_id uuid,
    touched_at timestamptz
);

-- What the last run of an export goal was worked out from, for the next one to look only at who may have changed since.
-- mark: the clock that it read. moment: the time of the run. digest: of all that decides who is exported.
-- counters: the ends of the segment's profiles, by name, what was written counted as the same.
create table warehouse.export_state (
    goal_number integer,
    mark timestamptz,
    moment timestamptz,
    digest text,
    counters map(text, bigint)
);

-- The last ends of profiles that do not follow from the ledger: of those in the segment that were not delivered, and `left`
-- for those in the ledger that are not in the segment.
create table warehouse.export_exception (
    goal_number integer,
    profile_id uuid,
    ending text
);
