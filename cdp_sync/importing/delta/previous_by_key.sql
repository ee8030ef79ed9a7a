-- What the keys of the staged rows last brought, in whatever file of the goal.
create or replace table staging.previous_by_key as
from warehouse.keyed_row
where source = $source and row_key in (select row_key from staging.staged)
