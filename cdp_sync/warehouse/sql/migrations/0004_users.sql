-- Exports to users of a platform: profiles without an identifier there, and those that the platform does not know.
alter table warehouse.run add column profiles_without_identifier bigint;
alter table warehouse.run add column profiles_unmatched bigint;

-- The profiles that a goal put on which list, and what the platform knows them by.
create table warehouse.list_member (
    connection text,
    goal text,
    profile_id uuid,
    list text,
    key text,
    id text
);

-- The profiles that a run was about to put on lists, and when it began; kept until a run has recorded their outcome.
create table warehouse.list_intent (
    connection text,
    goal text,
    profile_id uuid,
    began timestamptz
);

-- What happened, one row for a goal's run.
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
        case when rows_rejected > 0 then rows_rejected || ' rejected' end,
        case when rows_without_identifier > 0 then rows_without_identifier || ' without identifier' end,
        case when rows_unmatched > 0 then rows_unmatched || ' unmatched' end,
        case when rows_without_consent > 0 then rows_without_consent || ' without consent' end,
        case when profiles_without_value > 0 then profiles_without_value || ' without value' end,
        case when profiles_without_consent > 0 then profiles_without_consent || ' without consent' end,
        case when profiles_without_identifier > 0 then profiles_without_identifier || ' without identifier' end,
        case when profiles_not_deliverable > 0 then profiles_not_deliverable || ' not deliverable' end,
        case when profiles_unmatched > 0 then profiles_unmatched || ' unmatched' end
    ), '') as left_out,
    run_id
from warehouse.run;
