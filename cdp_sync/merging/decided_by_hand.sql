insert into warehouse.decision by name
select
    'merge' as kind, $left as left_id, $right as right_id, $run_id as run_id, $now as decided_at, $by as decided_by
