insert into event_outcome by name
select file, count(distinct event_id) as expired from expired_row group by file
