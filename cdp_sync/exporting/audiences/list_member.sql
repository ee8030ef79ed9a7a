-- Whom this goal put on lists: known by the sid, which nobody can be created by, or else by what they were sent under.
insert into warehouse.list_member by name
select
    $connection as connection, $goal as goal, profile_id, unnest(lists) as list,
    case when sid is null then line ->> 'key' else 'sid' end as key,
    coalesce(sid, line ->> 'id') as id
from staging.selected
where ending = 'written' and len(lists) > 0
