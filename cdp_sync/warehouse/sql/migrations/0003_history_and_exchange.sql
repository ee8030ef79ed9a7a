-- How long a goal's run took, where that is more than from started_at to ended_at: those of an import say when it wrote.
alter table warehouse.run add column seconds double;
alter table warehouse.run add column warnings text[];
alter table warehouse.run add column errors text[];

-- Of the last profiles that a goal's run created and updated, each property that it changed, as text.
create table warehouse.changed_value (
    run_id text,
    connection text,
    goal text,
    profile_id uuid,
    kind text,
    property text,
    before text,
    after text
);

-- How many profiles a connection has ever imported and exported, each counted once. direction: import, export.
create table warehouse.data_exchange (
    connection text,
    direction text,
    profiles bigint
);

-- Who has imported a profile: the connection that created it, by its number, and those listed in imported_profile.
-- A number costs a first import a third of what a name would. No property can be called _created_by.
create table warehouse.connection_number (
    connection text,
    number smallint
);
alter table warehouse.profile add column _created_by smallint;
create table warehouse.imported_profile (
    connection text,
    profile_id uuid
);

insert into warehouse.connection_number
select connection, row_number() over (order by connection)
from (select distinct connection from warehouse.run where direction = 'import');

update warehouse.profile profile
set _created_by = creation.number
from (
    select change.profile_id, any_value(known.number) as number
    from warehouse.profile_change change
    join warehouse.run run on run.run_id = change.run_id and run.started_at = change.changed_at
    join warehouse.connection_number known on known.connection = run.connection
    where change.kind = 'created'
    group by change.profile_id
) creation
where profile.profile_id = creation.profile_id;

-- What was imported without being changed is not known of earlier runs.
insert into warehouse.imported_profile
select distinct run.connection, change.profile_id
from warehouse.profile_change change
join warehouse.run run on run.run_id = change.run_id and run.started_at = change.changed_at
join warehouse.connection_number known on known.connection = run.connection
join warehouse.profile profile on profile.profile_id = change.profile_id
where profile._created_by is distinct from known.number;

insert into warehouse.data_exchange
select connection, 'import', count(*)
from (
    select known.connection
    from warehouse.profile profile
    join warehouse.connection_number known on known.number = profile._created_by
    union all
    select connection from warehouse.imported_profile
)
group by connection
union all
select connection, 'export', count(distinct profile_id)
from warehouse.exported_profile
group by connection;
