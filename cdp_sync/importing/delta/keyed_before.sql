-- What the keys of the staged rows have last brought, in whatever file of the goal.
create or replace temp table keyed_before as
from warehouse.keyed_row
where source = $source and row_key in (select row_key from staging.staged)
