-- What became of the users that were sent, by place in the file; a line that a crash cut short counts not.
create or replace temp table outcome as
select
    place::bigint as place, outcome, nullif(sid, '') as sid, reason,
    from_json(nullif(lists, ''), '[{"list": "VARCHAR", "moment": "DOUBLE"}]') as joined
from read_csv($path, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', null_padding = true,
    columns = {'place': 'VARCHAR', 'outcome': 'VARCHAR', 'sid': 'VARCHAR', 'lists': 'VARCHAR', 'reason': 'VARCHAR'})
where outcome in ('sent', 'absent', 'refused')
qualify row_number() over (partition by place) = 1
