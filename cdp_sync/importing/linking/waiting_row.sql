-- Rows that no profile matched wait for one, as they were read.
insert into warehouse.waiting_row by name
with unmatched as (
    select assigned.row, file.source, file.path as file, staged.waiting_cells as cells, fresh.links{row_key}
    from staging.assigned assigned
    join staging.staged staged on staged.rowid = assigned.row
    join staging.file file on file.file = staged.file
    join (select row, {links} as links from staging.fresh) fresh on fresh.row = assigned.row
    where assigned.outcome = 'unmatched'
)
select
    $connection as connection, $goal as goal, unmatched.* exclude (row), part.name as path,
    unmatched.row - part.first_row + part.body_line + coalesce(gap.gap, 0) as line
from unmatched
asof join (from staging.part where rows > 0) part on unmatched.row >= part.first_row
asof left join staging.line_gap gap on part.part = gap.part and unmatched.row >= gap.row
