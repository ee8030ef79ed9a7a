-- The live profiles in each lifecycle. stage: a declared one, or `unassigned`; `completed` for those that have completed it.
-- since: when the profile entered this stage.
create table warehouse.lifecycle_stage (
    lifecycle text,
    profile_id uuid,
    stage text,
    since timestamptz
);

-- How many profiles were in each stage of a lifecycle at each keeping that changed a size. A stage without any is at 0.
create table warehouse.lifecycle_size (
    lifecycle text,
    stage text,
    size bigint,
    counted_at timestamptz
);
