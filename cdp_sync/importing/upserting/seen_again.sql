-- Cells that did not convert stay in the quarantine while their rows stay in the file: a row that is unchanged is not
-- converted again. Those of the previous reading are marked as seen by this one, at the line where the row is now.
update warehouse.quarantine known
set seen_run_id = $run_id, path = seen.name, line = seen.line
from (
    with former as (
        select path, run_id
        from warehouse.imported_file
        where connection = $connection and goal = $goal and run_id <> $run_id
        qualify row_number() over (partition by path order by rowid desc) = 1
    ),
    entry as (
        select
            complaint.rowid as entry, former.path, complaint.row_hash,
            row_number() over (
                partition by complaint.path, complaint.row_hash, complaint.field order by complaint.line
            ) as nth
        from warehouse.quarantine complaint
        join former
            on former.path = split_part(complaint.path, '!', 1)
            and former.run_id = coalesce(complaint.seen_run_id, complaint.run_id)
        where complaint.connection = $connection and complaint.goal = $goal and complaint.row_hash is not null
    ),
    unchanged as (
        select
            unchanged.row, file.path, unchanged.row_hash,
            row_number() over (partition by unchanged.file, unchanged.row_hash order by unchanged.row) as nth
        from staging.unchanged unchanged
        join staging.file file using (file)
        semi join entry on entry.row_hash = unchanged.row_hash
    ),
    placed as (
        select unchanged.*, part.name, unchanged.row - part.first_row + part.body_line + coalesce(gap.gap, 0) as line
        from unchanged
        asof join (from staging.part where rows > 0) part on unchanged.row >= part.first_row
        asof left join staging.line_gap gap on part.part = gap.part and unchanged.row >= gap.row
    )
    select entry.entry, placed.name, placed.line from entry join placed using (path, row_hash, nth)
) seen
where known.rowid = seen.entry
