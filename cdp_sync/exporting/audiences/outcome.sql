-- Outcomes of the users that were sent, by number of the line; a line that a crash cut short is left out.
create or replace temp table outcome as
select
    place::bigint as place, outcome, nullif(platform_id, '') as platform_id, reason,
    from_json(nullif(lists, ''), '[{"list": "VARCHAR", "moment": "DOUBLE", "before": "BOOLEAN"}]') as joined
from read_csv($path, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', null_padding = true,
    columns = {'place': 'VARCHAR', 'outcome': 'VARCHAR', 'platform_id': 'VARCHAR', 'lists': 'VARCHAR', 'reason': 'VARCHAR'})
where outcome in ('sent', 'absent', 'refused', 'forgotten')
qualify row_number() over (partition by place) = 1
