-- Profiles that stay apart for good.
insert into warehouse.decision by name
select
    'keep_apart' as kind, left_id, right_id, $run_id as run_id, $now as decided_at, $by as decided_by
from (select unnest($leaving::uuid[]) as left_id), (select unnest($staying::uuid[]) as right_id)
