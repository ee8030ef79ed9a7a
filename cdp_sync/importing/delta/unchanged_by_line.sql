-- Rows on lines that were read before.
create or replace table staging.unchanged as
select staged.rowid as row, staged.file, staged.row_hash
from staging.staged staged
join staging.part part on part.part = staged.part
join staging.watermark arrived on arrived.file = staged.file and arrived.kind = 'append'
join warehouse.watermark read
    on read.connection = $connection and read.goal = $goal and read.stream = arrived.stream
asof left join staging.line_gap gap on staged.part = gap.part and staged.rowid >= gap.row
where staged.filtered = 0 and staged.rowid - part.first_row + part.body_line + coalesce(gap.gap, 0) <= read.value::bigint
