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

-- A campaign: the columns that it exports, as they were declared in its first run, and when it exported last.
create table warehouse.campaign (
    connection text,
    goal text,
    definitions text,
    created_at timestamptz,
    exported_at timestamptz
);
