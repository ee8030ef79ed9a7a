-- New profiles that may share a value of a rule with another one, new or not. Few are: what all rows say is compared
-- first, and only then the profiles that they are about.
create or replace temp table merge_candidate as
with said as materialized (
    select row, hash(property, value) as hash from ({said}) where length(value) >= $shortest
),
known as materialized (
    select hash
    from (select hash(property, value) as hash from warehouse.linking_identifier where property in ({properties}))
    semi join said using (hash)
),
shared as (
    select hash from said group by hash having count(*) > 1
    union all
    from known
),
named as materialized (
    select distinct assigned.profile_id, hash
    from said
    semi join shared using (hash)
    join staging.assigned assigned using (row)
    where assigned.profile_id is not null
)
select distinct profile_id
from named
semi join (select profile_id from touched_profile where is_new) new using (profile_id)
where hash in (from known) or hash in (select hash from named group by hash having count(*) > 1)
