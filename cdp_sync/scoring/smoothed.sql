-- The rate that is expected of each profile that received messages.
create or replace temp table score_value as
select profile_id, round((least(responses, messages) + strength * mean) / (messages + strength), 9) as value
from weighed, prior
where has_messages
