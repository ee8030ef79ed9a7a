-- Profiles that are one person, with what shows it.
insert into warehouse.decision by name
select
    'merge' as kind, left_id, right_id, rule, property, value, $run_id as run_id, $now as decided_at, $by as decided_by
from new_edge
