delete from warehouse.keyed_row
where source = $source and row_key in (select row_key from replaced_row)
