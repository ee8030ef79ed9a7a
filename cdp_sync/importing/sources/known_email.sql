-- Values that the warehouse knows: the MD5 of one is the digest that the file holds.
insert into staging.user_key by name
with known as (
    select md5(value) as digest, any_value(value) as value
    from warehouse.profile_identifier
    where property in (select unnest($properties))
    group by digest
)
select wanted.platform_id, any_value(known.value) as {field}
from wanted
join person using (platform_id)
join known using (digest)
group by wanted.platform_id
