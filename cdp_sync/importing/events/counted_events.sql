-- Times before 1970 and after the run are doubtful: they are kept, and counted.
insert into event_outcome by name
select file, count(*) as touched from touched_event group by file
union all by name
select
    _file as file,
    count(*) filter (_is_new) as created,
    count(*) filter (not _is_new) as updated,
    count(*) filter (profile_id is null or happened_at is null) as waiting,
    count(*) filter (_contested) as contested,
    count(*) filter (happened_at > $now or happened_at < '1970-01-01 00:00:00+00') as doubtful
from changed_event
group by _file
