insert into warehouse.data_exchange
select $connection, $direction, 0
where not exists (from warehouse.data_exchange where connection = $connection and direction = $direction)
