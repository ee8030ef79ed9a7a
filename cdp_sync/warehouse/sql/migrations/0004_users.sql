-- Exports to users of a platform: profiles without an identifier there, and those that the platform does not know.
alter table warehouse.run add column profiles_without_identifier bigint;
alter table warehouse.run add column profiles_unmatched bigint;

-- The profiles that a goal put on which list, and what the platform knows them by.
create table warehouse.list_member (
    connection text,
    goal text,
    profile_id uuid,
    list text,
    key text,
    id text
);

-- The profiles that a run was about to put on lists, and when it began; kept until a run has recorded their outcome.
create table warehouse.list_intent (
    connection text,
    goal text,
    profile_id uuid,
    began timestamptz
);
