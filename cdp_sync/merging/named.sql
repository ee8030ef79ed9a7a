-- The profiles by themselves that have an id, or the value of an identifier.
select distinct profile_id from warehouse.linking_identifier where value in ($value, lower($value))
union
select profile_id from warehouse.profile where profile_id = try_cast($value as uuid)
