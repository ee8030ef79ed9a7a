-- All parts of merged profiles that rows are about.
create or replace temp table touched_part as
with live as (
    select distinct coalesce(profile.merged_into, profile.profile_id) as live_id
    from warehouse.profile profile
    semi join touched_profile using (profile_id)
    where profile.merged_into is not null or profile.profile_id in (select profile_id from warehouse.own_profile)
)
select profile_id from warehouse.profile where coalesce(merged_into, profile_id) in (from live)
