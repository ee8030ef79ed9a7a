-- Who clicked which link after each mailing. The name is what its file is called by.
create or replace table staging.link as
select
    mailing,
    profile_id,
    {called} as name,
    link,
    count(*) as clicks,
    min(happened_at) as first_at,
    max(happened_at) as last_at
from ({responses})
semi join staging.mailing using (mailing)
where role = 'clicked' and link is not null
group by all
