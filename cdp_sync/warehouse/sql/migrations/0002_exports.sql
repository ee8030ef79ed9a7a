-- One row for each file that was put on a server.
create table warehouse.exported_file (
    connection text,
    goal text,
    path text,
    size bigint,
    sha256 text,
    fingerprint text,
    run_id text,
    exported_at timestamptz,
    segment text,
    rows bigint
);

-- What each goal last delivered of each profile; one row for a profile, also when it has left the segment since.
-- row_hash: digest of the row as it was written and of the goal's fingerprint; the same in every version of DuckDB.
-- value_hash: DuckDB's own hash of the values in the row, which is quicker; where it differs, row_hash decides.
create table warehouse.exported_profile (
    connection text,
    goal text,
    profile_id uuid,
    row_hash uhugeint,
    value_hash ubigint
);

alter table warehouse.run add column profiles_in_segment bigint;
alter table warehouse.run add column profiles_without_value bigint;
alter table warehouse.run add column profiles_without_consent bigint;
alter table warehouse.run add column profiles_not_deliverable bigint;
alter table warehouse.run add column profiles_same bigint;
alter table warehouse.run add column profiles_written bigint;
