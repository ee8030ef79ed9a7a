-- How far the goal has looked at the mailings that were due, and the digest of what it has delivered of them.
insert into warehouse.exported_mailing by name
select
    $goal_number as goal_number, mailing, any_value(written_at) as written_at, any_value(mailing.first_at) as first_at,
    any_value(mailing.events) as events, $scope as scope, any_value(row_hash) as row_hash
from staging.mailing
left join staging.selected using (mailing)
group by mailing
