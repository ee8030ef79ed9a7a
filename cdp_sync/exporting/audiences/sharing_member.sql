-- Everybody who put one of these users on a list.
insert into staging.candidate
select coalesce(profile.merged_into, member.profile_id)
from warehouse.list_member member
left join warehouse.profile profile using (profile_id)
where member.connection = $connection and member.goal = $goal
    and (member.list, member.key, member.id) in (select (list, key, id) from staging.shared_member)
