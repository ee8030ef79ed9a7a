-- The files of the goal whose latest delivery is older than $before, unless a run has dealt with that delivery. A path that
-- another goal of the connection has delivered since is that goal's.
create or replace table staging.old_file as
select path, size, sha256, run_id as delivered_by
from (
    from warehouse.exported_file
    where connection = $connection
    qualify row_number() over (partition by path order by rowid desc) = 1
)
where goal = $goal
    and exported_at <= $before
    and (path, run_id) not in (
        select (path, delivered_by) from warehouse.removed_file where connection = $connection and goal = $goal
    )
