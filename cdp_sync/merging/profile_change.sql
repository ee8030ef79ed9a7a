-- Which profiles were merged into others, and which are live again.
insert into warehouse.profile_change by name
select
    $run_id as run_id, profile_id, case when new_live = profile_id then 'unmerged' else 'merged' end as kind,
    $now as changed_at
from cluster
where (old_live = profile_id) <> (new_live = profile_id)
