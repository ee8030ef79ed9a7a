-- Rows of a file that are for nothing, as lines of it that are rejected: the file is not imported.
insert into staging.rejected by name
select
    useless.file, part.part, useless.row - part.first_row + part.body_line + coalesce(gap.gap, 0) as line,
    null as raw, useless.reason
from (select rowid as row, file, {why} as reason from staging.staged where file = $file) useless
asof join (from staging.part where rows > 0) part on useless.row >= part.first_row
asof left join staging.line_gap gap on part.part = gap.part and useless.row >= gap.row
where useless.reason is not null
