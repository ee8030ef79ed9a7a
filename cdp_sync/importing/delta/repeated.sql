-- Rows that stand in their file more than once: as many of them are unchanged as were there before.
create or replace temp table repeated as
select file, row_hash
from staging.staged
join staging.file file using (file)
where file.same_fingerprint
group by file, row_hash
having count(*) > 1
