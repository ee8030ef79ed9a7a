-- The sum that is expected of each buyer.
create or replace temp table score_value as
select
    profile_id,
    round(
        expected * coalesce(factor, 1)
            * (amounts * amount + coalesce(own_after, 1) * coalesce(mean, 0)) / (amounts + coalesce(own_after, 1)),
        6
    ) as value
from forecast
left join correction using (purchases, is_recent)
left join typical_amount on true
