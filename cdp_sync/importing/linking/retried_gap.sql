insert into staging.line_gap
select $part, $first_row + nth, line - nth - 1
from (
    select line, row_number() over (order by rowid) - 1 as nth
    from staging.retried
    where path = $path and fields = $fields
)
