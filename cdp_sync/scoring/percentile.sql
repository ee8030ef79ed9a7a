insert into warehouse.score
select
    $score,
    profile_id,
    value,
    ((rank() over (order by value) - 1) * 100 // greatest(count(*) over () - 1, 1))::utinyint,
    $now
from score_value
