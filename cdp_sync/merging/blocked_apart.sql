-- New edges in clusters with members that were decided to stay apart.
insert into blocked
select
    'keep_apart', {words}, count(*), list(member.profile_id::text order by member.profile_id::text)[:3]
from (
    select distinct label, rule, unnest([left_age, right_age]) as age
    from edge
    join label on label.age = left_age
    where place is null and label in (from together)
)
join member using (age)
group by label, rule
