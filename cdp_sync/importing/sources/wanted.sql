-- People of rows that are to be applied and lack a field.
create or replace temp table wanted as
select distinct {platform_id} as platform_id from staging.fresh where {platform_id} is not null and ({lacks})
