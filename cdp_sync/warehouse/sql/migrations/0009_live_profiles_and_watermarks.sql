-- Profiles that were not merged into another one. The view has every column of profile, those added later included.
create view warehouse.live_profile as from warehouse.profile where merged_into is null;

-- How far a stream of a goal's source was read; written in the transaction that lands what was read.
create table warehouse.watermark (
    connection text,
    goal text,
    stream text,
    value text,
    run_id text
);
