-- What connects two members: decisions that stand, with their place, and pairs that nothing stops.
create or replace temp table edge as
select left_age, right_age, rule, property, value, place from standing where not lapses
union all
select left_age, right_age, rule, property, value, null from pair where not differs and not apart
