delete from warehouse.imported_row
where source in (select source from staging.file where state = 'staged')
