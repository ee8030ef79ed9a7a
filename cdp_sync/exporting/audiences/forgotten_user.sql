-- Users that the platform has forgotten: later runs do not send them.
insert into warehouse.forgotten_user by name
select distinct $connection as connection, md5(concat(line ->> 'key', ' ', line ->> 'id')) as user_hash
from (select line, row_number() over (order by rowid) - 1 as place from staging.chosen where ending = 'written')
join outcome using (place)
where outcome.outcome = 'forgotten'
