-- The parts of a live profile that have identifiers; `is_whole`: all that a part has are among those that leave.
create or replace temp table every_part as
select
    profile_id,
    bool_and(value in (select unnest($identifiers)) or value in (select lower(unnest($identifiers)))) as is_whole
from warehouse.linking_identifier
where profile_id in (select profile_id from warehouse.profile where coalesce(merged_into, profile_id) = $live)
group by profile_id
