-- Profiles that this goal put on lists, or may have put there: by the platform's id, by which no user can be created, or
-- else by the key that was sent.
insert into warehouse.list_member by name
select
    $connection as connection, $goal as goal, profile_id, unnest(lists) as list,
    case when platform_id is null then key else $identity_key end as key,
    coalesce(platform_id, id) as id
from staging.selected
where ending in ('written', 'not_deliverable') and len(lists) > 0
