-- New evidence, each part but the first of those that share a value with its oldest partner.
create or replace temp table new_edge as
select
    edge.left_age, older.profile_id as left_id, younger.profile_id as right_id, {words} as rule, edge.property, edge.value
from (
    select rule, property, value, right_age, min(left_age) as left_age
    from edge
    where place is null
    group by all
) edge
join member older on older.age = edge.left_age
join member younger on younger.age = edge.right_age
anti join (
    select left_age, right_age, rule, property, value from edge where place is not null
) known on known.left_age = edge.left_age and known.right_age = edge.right_age and known.rule = edge.rule
    and known.property = edge.property and known.value = edge.value
