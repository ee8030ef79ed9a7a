-- Why profiles are one, or are to stay apart, by their own ids. kind: merge, keep_apart. rule: the rule in words; null for a
-- decision by hand. revoked_at: when it ceased to hold.
create table warehouse.decision (
    kind text,
    left_id uuid,
    right_id uuid,
    rule text,
    property text,
    value text,
    run_id text,
    decided_at timestamptz,
    decided_by text,
    revoked_at timestamptz
);

-- A profile that others are merged into shows in `profile` what all of them have. What it has by itself stands here; what
-- the others have by themselves stays in their rows of `profile`. It has every column of `profile`.
create table warehouse.own_profile as from warehouse.profile limit 0;

-- Identifiers of profiles that are merged, of each by itself, which no live profile shows as its own: a row of a file names
-- one of them. And identifiers that survivors show, but have of others.
create table warehouse.own_identifier (property text, value text, profile_id uuid);
create table warehouse.lent_identifier (property text, value text, profile_id uuid);

-- When the values of properties were said that are merged by their time.
create table warehouse.value_time (property text, profile_id uuid, said_at timestamptz);

-- The identifiers by which rows find profiles: those of profiles by themselves, merged or not.
create view warehouse.linking_identifier as
select property, value, profile_id
from warehouse.profile_identifier
anti join warehouse.lent_identifier using (property, value, profile_id)
union all
from warehouse.own_identifier;

alter table warehouse.run add column profiles_merged bigint;
alter table warehouse.run add column profiles_unmerged bigint;
alter table warehouse.imported_file add column profiles_merged bigint;
alter table warehouse.imported_file add column profiles_unmerged bigint;

-- Every profile as it is by itself, merged or not.
create view warehouse.profile_by_itself as
select * from warehouse.profile where profile_id not in (select profile_id from warehouse.own_profile)
union all by name
from warehouse.own_profile;

-- Those of them that are merged, survivors included.
create view warehouse.merged_profile as
select * from warehouse.profile where merged_into is not null
union all by name
from warehouse.own_profile;
