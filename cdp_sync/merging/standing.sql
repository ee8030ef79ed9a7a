-- Decisions to merge that hold between members; `lapses`: too many profiles have the value by now.
create or replace temp table standing as
select
    decision.rowid as place, least(l.age, r.age) as left_age, greatest(l.age, r.age) as right_age,
    {rule} as rule, decision.property, decision.value,
    decision.rule is not null and (decision.property, decision.value) in (
        select (property, value) from shared_value where holders > $most
    ) as lapses
from warehouse.decision decision
join member l on l.profile_id = decision.left_id
join member r on r.profile_id = decision.right_id
where decision.kind = 'merge' and decision.revoked_at is null
