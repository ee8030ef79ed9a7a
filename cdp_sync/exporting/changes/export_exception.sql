-- Ends that do not follow from the ledger.
insert into warehouse.export_exception by name
select $number as goal_number, profile_id, ending::text as ending
from staging.selected
where ending not in ('same', 'written')
union all
select $number as goal_number, profile_id, 'left' as ending from staging.left_profile
