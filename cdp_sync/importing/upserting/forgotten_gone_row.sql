delete from warehouse.imported_row known
using staging.gone_row gone
where known.source = gone.source and known.row_hash = gone.row_hash
