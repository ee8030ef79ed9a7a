-- The outcomes of the events that went to one target.
insert into staging.event_end by name
select event_type, event_hash, case when outcome = 'sent' then row_hash end as row_hash, day, event_id,
    case outcome when 'sent' then null when 'absent' then 'The platform has no such user.'
        else coalesce(reason, 'it was not sent') end as reason
from staging.sent_event sent
left join outcome on outcome.place = sent.number
where part = $part
