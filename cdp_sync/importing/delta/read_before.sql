-- What each row of a part was when the part was read in the former way: the row on the same line.
insert into staging.read_before
with placed as (
    select
        staged.rowid as row, staged.part, staged.row_hash,
        staged.rowid - part.first_row + part.body_line + coalesce(gap.gap, 0) as line
    from staging.staged staged
    join staging.part part on part.part = staged.part
    asof left join staging.line_gap gap on staged.part = gap.part and staged.rowid >= gap.row
    where staged.part in ($part, $again)
)
select now.row, before.row_hash
from placed now
join placed before on before.line = now.line
where now.part = $part and before.part = $again
