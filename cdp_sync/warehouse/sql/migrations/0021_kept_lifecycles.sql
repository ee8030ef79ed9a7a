-- The lifecycles whose stages have been kept, and since when: what the first time finds is no change.
create table warehouse.kept_lifecycle (
    lifecycle text,
    since timestamptz
);
insert into warehouse.kept_lifecycle select lifecycle, min(since) from warehouse.lifecycle_stage group by lifecycle;
