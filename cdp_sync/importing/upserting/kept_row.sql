insert into warehouse.imported_row by name
select source, row_hash, true as applied, profile_id, sums, source_hash
from (select source, row_hash, profile_id, sums, source_hash, unnest(range(kept)) from staging.gone_row where kept > 0)
