-- Addresses that the warehouse knows: the MD5 of one is what the list tells of it.
insert into staging.user_key by name
with known as (
    select md5(value) as digest, any_value(value) as email
    from warehouse.profile_identifier
    where property in (select unnest($properties))
    group by digest
)
select wanted.sid, any_value(known.email) as email
from wanted
join person using (sid)
join known using (digest)
group by wanted.sid
