insert into warehouse.connection_number
select $connection, (select coalesce(max(number), 0) + 1 from warehouse.connection_number)
where not exists (from warehouse.connection_number where connection = $connection)
