insert into warehouse.imported_row
select source, row_hash, true, profile_id, sums
from (select source, row_hash, profile_id, sums, unnest(range(kept)) from staging.gone_row where kept > 0)
