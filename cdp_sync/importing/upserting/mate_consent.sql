-- What the other parts of a merged profile say of consent, for each profile that rows are about.
create or replace temp table mate_consent as
with touched as (
    select profile.profile_id, coalesce(profile.merged_into, profile.profile_id) as live_id
    from warehouse.profile profile
    semi join touched_profile using (profile_id)
    where profile.merged_into is not null or profile.profile_id in (select profile_id from warehouse.own_profile)
)
select
    touched.profile_id,
    flatten(list(mate.consented_objectives) filter (mate.consented_objectives is not null)) as mates_consented,
    flatten(list(mate.refused_objectives) filter (mate.refused_objectives is not null)) as mates_refused,
    list(mate.privacy_legislation) as mates_zones
from touched
join warehouse.merged_profile mate
    on coalesce(mate.merged_into, mate.profile_id) = touched.live_id and mate.profile_id <> touched.profile_id
group by touched.profile_id
