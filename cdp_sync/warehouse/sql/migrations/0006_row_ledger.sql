-- Digests become uuids: a DuckLake keeps 128-bit integers as doubles, which no digest survives.
-- profile_id: the profile that the row was applied to. sums: what the row has ever added to each property, as text; an amount is
-- null where a former version added it without noting how much.
create table warehouse.remade_row (
    source uuid,
    row_hash uuid,
    applied boolean,
    profile_id uuid,
    sums struct(property text, amount text)[]
);

insert into warehouse.remade_row
select
    source, uuid_of(row_hash), applied, null,
    list_transform(added, lambda name: {property: name, amount: null::text})
from warehouse.imported_row;

drop table warehouse.imported_row;
alter table warehouse.remade_row rename to imported_row;

-- What the goal declared when it imported the file, as JSON: how it is read, how rows are linked, what is summed into
-- what. Null for earlier imports.
alter table warehouse.imported_file add column format text;
alter table warehouse.imported_file add column links text;
alter table warehouse.imported_file add column sums text;

-- What each row key of a goal has last brought, in whatever file. lists: the values that its row added to lists.
create table warehouse.keyed_row (
    source uuid,
    row_key uuid,
    row_hash uuid,
    fingerprint text,
    profile_id uuid,
    sums struct(property text, amount text)[],
    lists struct(property text, value text)[]
);

-- Rows that no profile matched and that wait for one: their cells by field, and the values that would match.
create table warehouse.waiting_row (
    connection text,
    goal text,
    source uuid,
    file text,
    path text,
    line bigint,
    row_key uuid,
    cells struct(field text, value text)[],
    links struct(property text, value text)[]
);

create table warehouse.remade_profile (
    goal_number integer,
    profile_id uuid,
    row_hash uuid,
    value_hash ubigint
);

insert into warehouse.remade_profile
select goal_number, profile_id, uuid_of(row_hash), value_hash from warehouse.exported_profile;

drop table warehouse.exported_profile;
alter table warehouse.remade_profile rename to exported_profile;
