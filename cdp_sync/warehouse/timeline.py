"""The events of a profile, and how many events there are. An event without profile or time waits, and is not shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from heapq import nlargest
from typing import Any

from cdp_sync.quoting import quote_identifier, quote_literal
from cdp_sync.warehouse.events import FIRST, EventColumns, event_columns
from cdp_sync.warehouse.session import Session

_COUNTED = "profile_id is not null and happened_at is not null"
"""The condition that an event does not wait for its profile or time."""


def timeline(session: Session, profile_id: object, limit: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the latest events of a profile, and how many it has of each type.

    An event has `type`, `event_id`, `happened_at`, `connection`, `goal`, `run_id` and `properties`, those with a value.
    """
    stored = event_columns(session)
    if not stored:
        return [], {}
    each = [
        f"select {quote_literal(name)} as type, count(*) as events from {_table(name)} "
        "where profile_id = $profile_id and happened_at is not null"
        for name in sorted(stored)
    ]
    bound = {"profile_id": profile_id}
    counts = {name: events for name, events in session.rows(" union all ".join(each), bound) if events}
    found = [event for name in counts for event in _latest(session, name, stored, {**bound, "limit": limit})]
    latest = nlargest(limit, found, key=lambda event: (event["_place"], event["event_id"]))
    return [{name: value for name, value in event.items() if name != "_place"} for event in latest], counts


def _latest(session: Session, name: str, stored: EventColumns, bound: Mapping[str, object]) -> list[dict[str, Any]]:
    properties = [column for column in stored[name] if column not in FIRST]
    own = ", ".join(map(quote_identifier, ("event_id", "happened_at", "connection", "goal", "run_id", *properties)))
    records = session.records(
        # Python has no years before 1 and after 9999: such a time comes as text, which does not sort with others.
        f"select {own}, epoch_us(happened_at) as _place from {_table(name)} "
        "where profile_id = $profile_id and happened_at is not null "
        "order by happened_at desc, event_id desc limit $limit",
        bound,
    )
    events = []
    for record in records:
        values = {column: value for column in properties if (value := record.pop(column)) is not None}
        events.append({"type": name, **record, "properties": values})
    return events


@dataclass(frozen=True)
class EventCounts:
    """How many events of a type there are."""

    total: int
    waiting: int
    """Events whose profile or time is not known yet."""
    by_day: tuple[tuple[date, int], ...]
    """Of days in UTC that have any, the latest first."""
    by_source: tuple[tuple[str, str, int], ...]
    """Of each connection and goal that last wrote them, most first."""


def count_events(session: Session, name: str, now: datetime, days: int = 30) -> EventCounts:
    """Return how many events of a type there are; by day those of so many days up to now. No table: none."""
    if name not in event_columns(session):
        return EventCounts(0, 0, (), ())
    table = _table(name)
    total, waiting = session.row(
        f"select count(*) filter ({_COUNTED}), count(*) filter (not ({_COUNTED})) from {table}"
    )
    by_day = session.rows(
        f"""select happened_at::date as day, count(*) from {table}
        where {_COUNTED} and happened_at > date_trunc('day', $now::timestamptz) - to_hours(24 * $days)
            and happened_at <= $now
        group by day order by day desc""",
        {"now": now, "days": days},
    )
    by_source = session.rows(
        f"""select coalesce(connection, ''), coalesce(goal, ''), count(*) from {table}
        where {_COUNTED} group by all order by 3 desc, 1, 2"""
    )
    return EventCounts(total, waiting, tuple(by_day), tuple(by_source))


def waiting_events(session: Session, connection: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many events wait for their profile or their time, and the first of them as the quarantine shows rows.

    They are those that a connection, or with None any, has written last.
    """
    stored = event_columns(session)
    if not stored:
        return 0, []
    reason = "the event waits: no row has said yet whose it is, or when it happened"
    each = " union all ".join(
        f"""select connection, goal, null as path, null as line, null as field, null as value,
            concat({quote_literal(f"{name} ")}, event_id) as raw, {quote_literal(reason)} as reason, run_id
        from {_table(name)}
        where not ({_COUNTED}) and ($connection is null or connection = $connection)"""
        for name in stored
    )
    bound = {"connection": connection}
    total = int(session.value(f"select count(*) from ({each})", bound))
    query = f"from ({each}) order by connection, goal, raw limit $limit"
    return total, session.records(query, {**bound, "limit": limit}) if total else []


def _table(name: str) -> str:
    return f"warehouse.{quote_identifier(f'event_{name}')}"
