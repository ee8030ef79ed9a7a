-- What the events of a live profile make of it, one row a score. value: the rate, the share, or the expected sum. percentile:
-- the percentage of the other profiles with a lower value, from 0 to 100, rounded down.
create table warehouse.score (
    score text,
    profile_id uuid,
    value double,
    percentile utinyint,
    scored_at timestamptz
);
