-- Rows of files that were read again, and those that were tried again.
delete from warehouse.waiting_row
where connection = $connection and goal = $goal
    and (
        source in (select source from staging.file where state = 'staged')
        or (source, path, line) in (select (source, path, line) from staging.retried)
    )
