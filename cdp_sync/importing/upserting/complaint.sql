-- Cells that did not convert.
create or replace temp view complaint as
select row, unnest(invalid, recursive := true) from staging.fresh where invalid is not null
