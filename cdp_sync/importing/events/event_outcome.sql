-- What becomes of the events of each file: those that rows are about, and of these the ones that are written.
create or replace temp table event_outcome (
    file integer, touched bigint, created bigint, updated bigint, waiting bigint, contested bigint, doubtful bigint,
    expired bigint, repeated bigint
)
