insert into event_outcome by name
select _file as file, count(distinct event_id) as expired from expired_row group by _file
