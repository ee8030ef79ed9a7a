-- Decisions to merge that hold between members; `lapses`: too many profiles have the value by now, or the two differ.
create or replace temp table standing as
select
    decision.rowid as place, least(older.age, younger.age) as left_age, greatest(older.age, younger.age) as right_age,
    {rule} as rule, decision.property, decision.value,
    decision.rule is not null and (
        {differs}
        or (decision.property, decision.value) in (select (property, value) from shared_value where holders > $most)
    ) as lapses
from warehouse.decision decision
join member older on older.profile_id = decision.left_id
join member younger on younger.profile_id = decision.right_id
where decision.kind = 'merge' and decision.revoked_at is null
