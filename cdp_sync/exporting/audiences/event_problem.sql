-- Events that cannot be sent, of users who exist.
create or replace table staging.event_end as
select event_type, event_hash, null::uuid as row_hash, day, event_id, problem as reason
from staging.due_event
where problem is not null
    and (place is null or place in (select place from staging.delivered_user))
