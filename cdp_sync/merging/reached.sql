-- The oldest label of each member and its neighbours.
create or replace temp table reached as
select age, min(label) as label
from (
    from label
    union all
    select edge.left_age, label from edge join label on label.age = edge.right_age
    union all
    select edge.right_age, label from edge join label on label.age = edge.left_age
)
group by age
