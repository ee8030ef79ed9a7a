-- The live profiles in each lifecycle. stage: a declared one, or `unassigned`; `completed` for those that have completed it.
-- since: when the profile entered this stage.
create table warehouse.lifecycle_stage (
    lifecycle text,
    profile_id uuid,
    stage text,
    since timestamptz
);
