-- People of rows that are to be applied and lack a key.
create or replace temp table wanted as
select distinct {sid} as sid from staging.fresh where {sid} is not null and ({lacks})
