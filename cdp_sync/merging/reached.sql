-- The label of each member after its label, the oldest member of what is connected so far, took the oldest one that an edge
-- leads to from there.
create or replace temp table reached as
with neighbour as (
    select left_label.label, right_label.label as other
    from edge
    join label left_label on left_label.age = edge.left_age
    join label right_label on right_label.age = edge.right_age
    where left_label.label <> right_label.label
),
older as (
    select label, min(other) as other
    from (from neighbour union all select other, label from neighbour)
    group by label
)
select label.age, least(label.label, older.other) as label
from label
left join older using (label)
