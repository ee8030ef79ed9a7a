-- The members of clusters that change, that lost a member, or in which a profile was looked at: which live profile shows
-- each of them before and after, and how many are in the cluster. `rank` counts from the survivor on.
create or replace temp table cluster as
with placed as (
    select
        member.profile_id, member.live_id as old_live, label.label,
        count(*) over cluster as size,
        row_number() over (partition by label.label order by case when $newest then -member.age else member.age end) as rank,
        first(member.profile_id) over (
            partition by label.label order by case when $newest then -member.age else member.age end
        ) as new_live,
        member.age
    from member
    join label using (age)
    window cluster as (partition by label.label)
)
select * exclude (label)
from placed
where label in (
    select label
    from placed
    where profile_id in (select profile_id from checked_profile)
        or old_live in (select unnest([old_live, new_live]) from placed where old_live <> new_live)
)
