insert into warehouse.campaign by name
select $connection as connection, $goal as goal, $definitions as definitions, $created_at as created_at
