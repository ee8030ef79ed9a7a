insert into staging.file by name
select
    (select count(*) from staging.file) + row_number() over (order by file) - 1 as file,
    file as path, source, any_value(fields) as fields, 'retried' as state,
    []::text[] as warnings, false as same_fingerprint, false as same_links
from staging.retried
group by file, source
