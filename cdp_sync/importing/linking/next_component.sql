-- One round: numbers spread over shared values, then jump to the number of the row that they name, so that long chains
-- close quickly.
create or replace temp table next_component as
with by_value as (
    select unmatched_value.property, unmatched_value.value, min(component.component) as component
    from unmatched_value
    join component using (row)
    group by unmatched_value.property, unmatched_value.value
),
by_row as (
    select unmatched_value.row, min(by_value.component) as component
    from unmatched_value
    join by_value using (property, value)
    group by unmatched_value.row
)
select by_row.row, least(by_row.component, further.component) as component
from by_row
join component further on further.row = by_row.component
