-- Rows and cells that could not land, by file, line and reason.
insert into warehouse.quarantine by name
with invalid as (select row, unnest(invalid, recursive := true) from staging.fresh where invalid is not null),
entry as (
    select
        invalid.row, invalid.field,
        case when assigned.outcome <> 'without_consent' then invalid.value end as value,  -- of people who consented
        invalid.reason, 'values_invalid' as kind
    from invalid
    join staging.assigned assigned using (row)
    union all by name
    select
        row, case when outcome not in ('without_consent', 'rejected') then $link_fields end as field,
        case outcome when 'unmatched' then 'no profile has this identifier, and the goal creates none'
            when 'rejected' then 'it holds no usable event'
            when 'without_consent' then 'no consent for the connection''s objectives'
            else 'no usable identifier' end as reason,
        'rows_' || outcome as kind
    from staging.assigned
    where profile_id is null and outcome <> 'applied'
    union all by name
    select row, nullif($key_fields, '') as field, reason, 'rows_rejected' as kind from staging.set_aside
),
chosen as (select distinct row from entry),
placed as (
    select chosen.row, part.name as path, chosen.row - part.first_row + part.body_line + coalesce(gap.gap, 0) as line
    from chosen
    asof join (from staging.part where rows > 0) part on chosen.row >= part.first_row
    asof left join staging.line_gap gap on part.part = gap.part and chosen.row >= gap.row
)
select
    coalesce(retried.run_id, $run_id) as run_id, $connection as connection, $goal as goal,
    placed.path, placed.line, field, value, null as raw, reason, kind,
    case when kind = 'values_invalid' then staged.row_hash end as row_hash
from entry
join placed using (row)
join staging.staged staged on staged.rowid = entry.row
left join staging.retried retried on retried.path = placed.path and retried.line = placed.line
