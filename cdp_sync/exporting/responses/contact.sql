-- What each contact did after each mailing.
create or replace table staging.contact as
select
    mailing,
    profile_id,
    count(*) as events,
    min(happened_at) as first_at,
    case
        when bool_or(role = 'bounced' and kind = 'hard') then 'hard'
        when bool_or(role = 'bounced' and kind = 'soft') then 'soft'
        when bool_or(role = 'bounced') then 'unknown'
    end as bounced_kind{columns}
from ({responses})
semi join staging.mailing using (mailing)
group by mailing, profile_id
