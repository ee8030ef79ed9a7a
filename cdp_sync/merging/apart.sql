-- Members that were decided to stay apart.
create or replace temp table apart as
select least(l.age, r.age) as left_age, greatest(l.age, r.age) as right_age
from warehouse.decision decision
join member l on l.profile_id = decision.left_id
join member r on r.profile_id = decision.right_id
where decision.kind = 'keep_apart' and decision.revoked_at is null
