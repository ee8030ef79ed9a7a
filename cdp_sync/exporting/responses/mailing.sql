-- The mailings of which a goal has not delivered all responses. is_due: the hours after the first of them have passed.
-- A mailing has fewer events than before where one of them is of another mailing now.
-- A mailing of which keep_days may have removed events since its delivery stays as it was delivered.
with found as (
    select mailing, min(happened_at) as first_at, max(written_at) as written_at, count(*) as events
    from ({responses})
    group by mailing
),
known as (
    select
        mailing, written_at as known_until, first_at as known_first_at, scope as known_scope, row_hash as known_hash,
        events as known_events
    from warehouse.exported_mailing
    where goal_number = $number
),
compared as (
    select *, known_until is not null as is_known, least(first_at, coalesce(known_first_at, first_at)) as begun_at
    from found
    left join known using (mailing)
)
select
    mailing, begun_at as first_at, written_at, events, known_hash,
    begun_at + to_microseconds($patience) <= $now as is_due,
    begun_at + to_microseconds($patience) as due_at
from compared
where (not is_known or written_at > known_until or events < known_events or known_scope <> $scope)
    and not (is_known and {removed})
    and {since}
