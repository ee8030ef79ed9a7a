-- What the quarantine says of rows that are tried again.
delete from warehouse.quarantine
where connection = $connection and goal = $goal and (path, line) in (select (path, line) from staging.retried)
