-- Rows that waited for a profile, and one with their identifiers is there now. A file that the goal reads differently
-- by now is read again as a whole.
with waiting_link as (
    select rowid as waiting, unnest(links, recursive := true)
    from warehouse.waiting_row
    where connection = $connection and goal = $goal
),
due as (select distinct waiting from waiting_link join {identifiers} using (property, value)),
latest as (
    select source, run_id, fingerprint
    from warehouse.imported_file
    where connection = $connection and goal = $goal
    qualify row_number() over (partition by source order by rowid desc) = 1
)
select
    row.source, row.file, row.path, row.line, latest.run_id,
    list_transform(row.cells, lambda cell: cell.field) as fields,
    list_transform(row.cells, lambda cell: cell.value) as cells
from warehouse.waiting_row row
join due on due.waiting = row.rowid
join latest using (source)
where latest.fingerprint = $fingerprint
