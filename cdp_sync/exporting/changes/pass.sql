create or replace table staging.pass as
select
    $mark::timestamptz as mark, $digest as digest, $why as why, $kept as kept,
    $former_mark::timestamptz as former_mark, $former_moment::timestamptz as former_moment
