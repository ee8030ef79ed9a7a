-- Exports of profiles that count as touches in a stage of a lifecycle. A run writes its touches before it delivers, and
-- lists itself in `touch_reservation` until it has recorded what it delivered. kind: `export`; events that count are counted
-- where they stand.
create table warehouse.touchpoint (
    lifecycle text,
    stage text,
    profile_id uuid,
    connection text,
    goal text,
    run_id text,
    kind text,
    happened_at timestamptz
);

-- Runs whose touches are not final: if such a run was killed, the next run of the goal removes them.
create table warehouse.touch_reservation (
    connection text,
    goal text,
    run_id text
);

-- Profiles that the latest run of a goal found at their cap, and when their caps end.
create table warehouse.capped_profile (
    connection text,
    goal text,
    profile_id uuid,
    until timestamptz
);

alter table warehouse.run add column profiles_outside_lifecycle bigint;
alter table warehouse.run add column profiles_capped bigint;

-- What happened, one row for a goal's run. Earlier versions made the view with fewer columns.
create or replace view warehouse.run_goal as
select
    started_at,
    connection,
    goal,
    direction,
    case state when 'success' then 'finished' else state end as state,
    round(coalesce(seconds, epoch(ended_at) - epoch(started_at)), 1) as seconds,
    message as sentence,
    profiles_created,
    profiles_updated,
    profiles_written,
    nullif(concat_ws(', ',
        case when rows_filtered > 0 then rows_filtered || ' filtered' end,
        case when rows_rejected > 0 then rows_rejected || ' rejected' end,
        case when rows_without_identifier > 0 then rows_without_identifier || ' without identifier' end,
        case when rows_unmatched > 0 then rows_unmatched || ' unmatched' end,
        case when rows_without_consent > 0 then rows_without_consent || ' without consent' end,
        case when profiles_outside_lifecycle > 0 then profiles_outside_lifecycle || ' outside lifecycle' end,
        case when profiles_without_value > 0 then profiles_without_value || ' without value' end,
        case when profiles_without_consent > 0 then profiles_without_consent || ' without consent' end,
        case when profiles_without_identifier > 0 then profiles_without_identifier || ' without identifier' end,
        case when profiles_capped > 0 then profiles_capped || ' capped' end,
        case when profiles_filtered > 0 then profiles_filtered || ' filtered' end,
        case when profiles_not_deliverable > 0 then profiles_not_deliverable || ' not deliverable' end,
        case when profiles_unmatched > 0 then profiles_unmatched || ' unmatched' end
    ), '') as left_out,
    run_id
from warehouse.run;
