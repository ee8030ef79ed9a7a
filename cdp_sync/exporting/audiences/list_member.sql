-- Profiles that this goal put on lists, or may have put there: by the platform's id, by which no user can be created, or
-- else by the key that was sent.
insert into warehouse.list_member by name
select
    $connection as connection, $goal as goal, profile_id, unnest(lists) as list,
    case when platform_id is null then link_key else $identity_key end as key,
    coalesce(platform_id, link_id) as id,
    case when platform_id is not null then link_key end as link_key,
    case when platform_id is not null then md5(concat(link_key, ' ', link_id)) end as link_hash
from staging.selected
where ending in ('written', 'not_deliverable') and len(lists) > 0
