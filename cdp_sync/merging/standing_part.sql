-- Members that stood in the warehouse before.
create or replace temp table standing_part as
select profile_id from cluster anti join merge_candidate using (profile_id)
