-- Files that a goal has delivered and that are kept no longer, by the run that delivered them. outcome: removed; missing: it
-- was gone already; replaced: somebody has put another one in its place, which stays.
create table warehouse.removed_file (
    connection text,
    goal text,
    path text,
    delivered_by text,
    outcome text,
    removed_at timestamptz
);

-- What an audience campaign exports: its columns, as they were declared when it ran for the first time.
create table warehouse.campaign (
    connection text,
    name text,
    definitions json,
    created_at timestamptz
);
