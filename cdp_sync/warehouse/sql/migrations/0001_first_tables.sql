-- No indexes, keys, sequences or generated columns: DuckLake has none of them.
create table warehouse.profile (
    profile_id uuid,
    created_at timestamptz,
    updated_at timestamptz,
    merged_into uuid
);

-- All identifiers of all live profiles, unnested: always equal to the identifier columns of profile.
create table warehouse.profile_identifier (
    property text,
    value text,
    profile_id uuid
);

-- Which properties profile_identifier covers, and which revision of it a link was made against.
create table warehouse.identifier_property (property text);
create table warehouse.revision (number bigint);
insert into warehouse.revision values (0);

create table warehouse.run (
    run_id text,
    connection text,
    goal text,
    direction text,
    state text,
    started_at timestamptz,
    ended_at timestamptz,
    rows_read bigint,
    rows_applied bigint,
    rows_unchanged bigint,
    rows_rejected bigint,
    rows_without_identifier bigint,
    rows_unmatched bigint,
    rows_without_consent bigint,
    profiles_created bigint,
    profiles_updated bigint,
    profiles_unchanged bigint,
    rows_ambiguous bigint,
    values_invalid bigint,
    message text
);

-- One row for each import of a file; the latest of a path is the ledger's word on it.
create table warehouse.imported_file (
    connection text,
    goal text,
    path text,
    size bigint,
    modified_at timestamptz,
    sha256 text,
    fingerprint text,
    run_id text,
    imported_at timestamptz,
    rows_read bigint,
    rows_applied bigint,
    rows_unchanged bigint,
    rows_rejected bigint,
    rows_without_identifier bigint,
    rows_unmatched bigint,
    rows_without_consent bigint,
    profiles_created bigint,
    profiles_updated bigint,
    profiles_unchanged bigint,
    rows_ambiguous bigint,
    values_invalid bigint,
    source uuid,
    fields text[]
);

-- The rows of the latest import of a file, as digests of the fields named in imported_file.fields.
-- applied: the row landed; added: the properties that it has ever been summed into.
create table warehouse.imported_row (
    source uuid,
    row_hash uhugeint,
    applied boolean,
    added text[]
);

create table warehouse.profile_change (
    run_id text,
    profile_id uuid,
    kind text,
    changed_at timestamptz,
    properties text[]
);

create table warehouse.quarantine (
    run_id text,
    connection text,
    goal text,
    path text,
    line bigint,
    field text,
    value text,
    raw text,
    reason text
);
