-- The members of clusters that change, that lost a member, or in which a profile was looked at: which live profile shows
-- each of them before and after, and how many are in the cluster. The survivor has the lowest `rank`.
create or replace temp table cluster as
with of_label as (
    select label, count(*) as size, case when $newest then max(age) else min(age) end as survivor
    from label
    group by label
),
placed as (
    select
        member.profile_id, member.live_id as old_live, survivor.profile_id as new_live, of_label.size, member.age,
        case when $newest then -member.age else member.age end as rank, of_label.label
    from member
    join label using (age)
    join of_label on of_label.label = label.label
    join member survivor on survivor.age = of_label.survivor
)
select * exclude (label)
from placed
where label in (
    select label
    from placed
    where profile_id in (select profile_id from checked_profile)
        or old_live in (select unnest([old_live, new_live]) from placed where old_live <> new_live)
)
