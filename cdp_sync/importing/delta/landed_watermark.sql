-- How far each stream of the run was read: the highest time of a window, the last line of a text that grows, or what
-- the arrival itself said.
with line as (
    select staged.file, staged.rowid - part.first_row + part.body_line + coalesce(gap.gap, 0) as line
    from (select file, part, max(rowid) as rowid from staging.staged group by file, part) staged
    join staging.part part on part.part = staged.part
    asof left join staging.line_gap gap on staged.part = gap.part and staged.rowid >= gap.row
    union all
    select file, line from staging.rejected
),
arrived as (
    select stream, kind, mark.file,
        case kind when 'append' then (select max(line)::text from line where line.file = mark.file) else value end as value
    from staging.watermark mark
    join staging.file file on file.file = mark.file and file.state in ('staged', 'unchanged')
),
latest as (
    select stream, case when bool_or(kind = 'window') then max(value) else arg_max(value, file) end as value,
        bool_or(kind = 'window') as only_forward
    from arrived
    where value is not null
    group by stream
)
select latest.stream, latest.value
from latest
left join warehouse.watermark before
    on before.connection = $connection and before.goal = $goal and before.stream = latest.stream
where not (only_forward and coalesce(before.value >= latest.value, false))
