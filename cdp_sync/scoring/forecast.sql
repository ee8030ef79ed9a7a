-- The purchases that each buyer is expected to make within $horizon days.
create or replace temp table forecast as
select
    profile_id,
    least(purchases, 10) as purchases,
    age - active <= $horizon as is_recent,
    amounts,
    amount,
    {is_active} / dropout
        * (1 - exp((shape + purchases - 1) * ln((scale + age) / (scale + age + dropout * $horizon)))) as expected
from buyer, purchasing
