-- As complaint, without the cells of people who did not consent.
create or replace temp view complaint as
select told.row, told.field, case when assigned.outcome <> 'without_consent' then told.value end as value, told.reason
from (select row, unnest(invalid, recursive := true) from staging.fresh where invalid is not null) told
join staging.assigned assigned using (row)
