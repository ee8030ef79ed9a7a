-- Rows and profiles that processors dropped. Of rows that processors changed, what they were before: `source_hash` is
-- the digest of the fields that imported_file.source_fields names.
alter table warehouse.run add column rows_filtered bigint;
alter table warehouse.run add column profiles_filtered bigint;
alter table warehouse.imported_file add column rows_filtered bigint;
alter table warehouse.imported_file add column source_fields text[];
alter table warehouse.imported_row add column source_hash uuid;

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
        case when profiles_without_value > 0 then profiles_without_value || ' without value' end,
        case when profiles_without_consent > 0 then profiles_without_consent || ' without consent' end,
        case when profiles_without_identifier > 0 then profiles_without_identifier || ' without identifier' end,
        case when profiles_filtered > 0 then profiles_filtered || ' filtered' end,
        case when profiles_not_deliverable > 0 then profiles_not_deliverable || ' not deliverable' end,
        case when profiles_unmatched > 0 then profiles_unmatched || ' unmatched' end
    ), '') as left_out,
    run_id
from warehouse.run;
