-- A profile that was merged, or is live again, counts in the file of the first row about its cluster.
update file_counters counters
set profiles_merged = found.merged, profiles_unmerged = found.unmerged
from (
    with named as (
        select cluster.new_live, min(touched.first_row) as row
        from cluster
        join touched_profile touched using (profile_id)
        where touched.first_row is not null
        group by cluster.new_live
    ),
    placed as (
        select
            cluster.old_live = cluster.profile_id as was_live, cluster.new_live = cluster.profile_id as is_live,
            coalesce(named.row, (select min(first_row) from staging.part where rows > 0)) as row
        from cluster
        left join named using (new_live)
        where (cluster.old_live = cluster.profile_id) <> (cluster.new_live = cluster.profile_id)
    )
    select part.file, count(*) filter (was_live) as merged, count(*) filter (is_live) as unmerged
    from placed
    asof join (from staging.part where rows > 0) part on placed.row >= part.first_row
    group by part.file
) found
where found.file = counters.file
