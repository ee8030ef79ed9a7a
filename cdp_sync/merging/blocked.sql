-- What guards stop of values and pairs, with some of the profiles.
create or replace temp table blocked as
select
    'too many holders' as guard, property as rule, holders as profiles,
    (
        select list(profile_id::text order by profile_id)[:3]
        from warehouse.linking_identifier held
        where held.property = shared_value.property and held.value = shared_value.value
    ) as sample
from shared_value
where holders > $most
union all
select
    case when apart then 'keep_apart' else 'unique' end, {words}, 2,
    [older.profile_id::text, younger.profile_id::text]
from (select distinct left_age, right_age, rule, apart from pair where apart or differs) pair
join member older on older.age = left_age
join member younger on younger.age = right_age
