update warehouse.campaign set exported_at = $exported_at where connection = $connection and goal = $goal
