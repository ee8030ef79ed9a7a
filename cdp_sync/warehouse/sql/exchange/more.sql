update warehouse.data_exchange
set profiles = profiles + $profiles
where connection = $connection and direction = $direction
