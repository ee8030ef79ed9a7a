-- What happened in a period: how often, and at which rate.
create or replace temp table {table} as
select
    profile_id,
    responses as happened,
    case when messages > 0 then least(responses, messages) / messages end as outcome
from weighed
