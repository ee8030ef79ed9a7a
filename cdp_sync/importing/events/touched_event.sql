-- Events that rows are about, with the first row and its file.
create temp table touched_event as
select event_id, min(_row) as first_row, arg_min(_file, _row) as file, count(*) as rows
from event_row
group by event_id
