-- The profiles that rows are about, less the new ones that share nothing with others.
create or replace temp table checked_profile as
select profile_id from touched_profile where not is_new or profile_id in (select profile_id from merge_candidate)
