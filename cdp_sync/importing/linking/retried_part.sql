insert into staging.part
select $part, $file, $path, $first_row, (select count(*) from staging.staged) - $first_row, 1, null
