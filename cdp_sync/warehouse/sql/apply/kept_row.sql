insert into warehouse.imported_row
select source, row_hash, true, added
from (select source, row_hash, added, unnest(range(kept)) from gone_row where kept > 0)
