-- One round: labels spread over shared values, then jump to the label's own label, so that long chains close quickly.
create or replace temp table next_label as
with by_value as (
    select member.property, member.value, min(label.label) as label
    from member
    join label using (row)
    group by member.property, member.value
),
by_row as (
    select member.row, min(by_value.label) as label
    from member
    join by_value using (property, value)
    group by member.row
)
select by_row.row, least(by_row.label, further.label) as label
from by_row
join by_row further on further.row = by_row.label
