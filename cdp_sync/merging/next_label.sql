-- The label that a member's label has by now: so each round halves the way.
create or replace temp table next_label as
select reached.age, least(reached.label, further.label) as label
from reached
join reached further on further.age = reached.label
