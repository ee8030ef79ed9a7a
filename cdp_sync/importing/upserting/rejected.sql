-- Lines that are no rows; those of files that failed as well.
insert into warehouse.quarantine by name
select
    $run_id as run_id, $connection as connection, $goal as goal, part.name as path, line,
    translate(raw, $marks, '??')[:$limit] as raw, reason, 'rows_rejected' as kind
from staging.rejected
join staging.part part using (part)
