-- The mailings whose responses a goal has looked at. written_at: all that were written until this moment.
-- first_at: when the first of them happened. scope: digest of what decides which responses it exports, and how.
-- row_hash: digest of the rows that were delivered; null where there were none.
create table warehouse.exported_mailing (
    goal_number integer,
    mailing text,
    written_at timestamptz,
    first_at timestamptz,
    scope text,
    row_hash uuid
);
