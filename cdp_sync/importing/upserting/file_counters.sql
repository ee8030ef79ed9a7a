-- The counters of every file that was read, under the names of `model.Counters`. A profile, or a group, is counted in
-- the file of its first row; one that only loses what rows added, in the file that takes it back.
create or replace temp table file_counters as
with bounds as (select file, first_row, lead(first_row) over (order by part) as next_row from staging.part),
row_end as (
    select row, case when profile_id is null then outcome else 'applied' end as ending, ambiguous from staging.assigned
    union all
    select row, 'unchanged', false from staging.unchanged
    union all
    select row, 'rejected', false from staging.set_aside
    union all
    select rowid, 'filtered', false from staging.staged where filtered = 1
),
ends as (
    select bounds.file, row_end.ending, count(*) as rows, count(*) filter (row_end.ambiguous) as ambiguous
    from row_end
    join bounds on row_end.row >= bounds.first_row and (row_end.row < bounds.next_row or bounds.next_row is null)
    group by bounds.file, row_end.ending
    union all
    select file, 'rejected', count(*), 0 from staging.rejected group by file
),
placed as (
    select bounds.file, touched.profile_id, touched.is_new
    from touched_profile touched
    join bounds
        on touched.first_row >= bounds.first_row and (touched.first_row < bounds.next_row or bounds.next_row is null)
    union all
    select file, profile_id, is_new from touched_profile where first_row is null
),
profiles as (
    select
        placed.file,
        count(*) filter (placed.is_new) as created,
        count(*) filter (changed.profile_id is not null) as updated,
        count(*) filter (not placed.is_new and changed.profile_id is null) as unchanged
    from placed
    left join changed_profile changed using (profile_id)
    group by placed.file
),
invalid as (select file, sum(len(invalid)) as cells from staging.fresh where invalid is not null group by file)
select
    file.file,
    coalesce(sum(ends.rows), 0) as rows_read,
    {ends},
    coalesce(any_value(profiles.created), 0) as {kind}_created,
    coalesce(any_value(profiles.updated), 0) as {kind}_updated,
    coalesce(any_value(profiles.unchanged), 0) as {kind}_unchanged,
    coalesce(sum(ends.ambiguous), 0) as rows_ambiguous,
    coalesce(any_value(invalid.cells), 0) as values_invalid,
    0::bigint as events_created, 0::bigint as events_updated, 0::bigint as events_unchanged,
    0::bigint as events_waiting, 0::bigint as profiles_merged, 0::bigint as profiles_unmerged
from staging.file file
left join ends using (file)
left join profiles using (file)
left join invalid using (file)
where file.state in ('staged', 'retried')
group by file.file
