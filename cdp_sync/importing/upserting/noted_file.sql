-- A file whose bytes are known only gets its new size and time noted.
update warehouse.imported_file known
set size = file.size, modified_at = file.modified_at
from staging.file file
where file.state = 'unchanged'
    and known.connection = $connection and known.goal = $goal and known.path = file.path
    and known.rowid = (
        select max(rowid) from warehouse.imported_file latest
        where latest.connection = $connection and latest.goal = $goal and latest.path = file.path
    )
