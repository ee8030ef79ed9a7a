-- The clusters that do not fit and lose the edges of a rule.
insert into blocked
select misfit.guard, {words}, misfit.profiles, (
    select list(profile_id::text order by age)[:3] from label held join member using (age) where held.label = misfit.label
)
from misfit
where label in (select label from edge join label on label.age = edge.left_age where edge.rule = $rule)
