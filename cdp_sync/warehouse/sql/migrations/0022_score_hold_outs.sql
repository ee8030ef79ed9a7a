-- How well scores ranked what came within their horizon, when they were computed last: rank correlations over so many profiles.
-- A score for which there was too little to compare has no row. of_baseline: of the number of events in the period before.
create table warehouse.score_hold_out (
    score text,
    days integer,
    profiles bigint,
    of_score double,
    of_baseline double
);
