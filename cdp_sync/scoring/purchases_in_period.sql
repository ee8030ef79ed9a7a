-- What each profile bought after $since, until $until.
create or replace temp table {table} as
select profile_id, count(*)::double as happened, coalesce(sum(amount::double), 0) as outcome
from ({events})
where happened_at > $since and happened_at <= $until and {sampled}
group by profile_id
