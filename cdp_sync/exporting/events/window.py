"""Which events a run looks at: those written since the last run, or the whole days that are due.

Row groups that hold none of them are skipped, so the cost of a run grows with these events, not with the history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain

from cdp_sync.exporting.run import EventRun
from cdp_sync.model import EventType
from cdp_sync.quoting import quote_identifier, quote_literal
from cdp_sync.warehouse import Session

DAY = "make_timestamp(epoch_us(event.happened_at))::date"
"""The expression for the day on which an event happened, in UTC."""

EVENT_HASH = "uuid_of(md5_number(concat({type}, chr(31), {id})))"
"""The expression for the digest by which the ledger knows an event."""

IS_COMPLETE = "event.profile_id is not null and event.happened_at is not null"
"""The condition that it is known whose event it is, and when it happened."""

_ONE_DAY = timedelta(days=1)
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a goal has looked at a table without events."""


@dataclass(frozen=True)
class Position:
    """How far a goal has looked at the events of a type."""

    written_at: datetime | None = None
    """At all that were written until this moment; None: it has not looked yet."""
    day: date | None = None
    """The last whole day that it has delivered."""


@dataclass(frozen=True)
class Window:
    """The events that a run looks at."""

    goal_number: int
    """By which the ledger names the goal; 0 where it has none yet."""
    positions: Mapping[str, Position]
    """How far the goal has looked until now, by type."""
    reached: Mapping[str, Position]
    """How far it has looked after this run, by type."""
    days: tuple[date, ...] | None
    """The days on which they happened; None: any."""
    undelivered: tuple[date, ...]
    """The days of events that could not be delivered, which are looked at again."""
    last: date
    """The last whole day that has passed, in UTC."""
    has_ledger: bool = True
    """Whether the ledger knows any event of these days: it knows none of a day that is delivered for the first time."""


def find_window(session: Session, run: EventRun, types: Iterable[EventType]) -> Window:
    """Return the events that a run looks at; `types` are those that have a table."""
    last = run.now.astimezone(UTC).date() - _ONE_DAY
    number = _goal_number(session, run)
    positions, reached, days = {}, {}, [undelivered := _undelivered(session, run, number, last)]
    for event in types:
        known = positions[event.name] = _position(session, run, number, event)
        written_at, new_days = _written_since(session, event, known.written_at)
        reached[event.name] = Position(written_at or known.written_at or _BEFORE_ALL, last)
        days.append(new_days)
        if run.goal.window == "day":
            days.append(_days_after(session, event, known.day, last))
    found = sorted({day for day in chain(*days) if day >= (run.goal.since or date.min)})
    due = tuple(day for day in found if run.goal.window == "since_last" or day <= last)
    everything = run.goal.window == "all" or (
        run.goal.window == "since_last" and not all(each.written_at for each in positions.values())
    )
    days_of_run = None if everything else due
    has_ledger = _has_ledger(session, number, days_of_run)
    return Window(number, positions, reached, days_of_run, tuple(undelivered), last, has_ledger)


def _has_ledger(session: Session, number: int, days: tuple[date, ...] | None) -> bool:
    of_days = "" if days is None else "and list_contains($days::date[], day)"
    query = f"select exists (from warehouse.exported_event where goal_number = $number {of_days})"
    values: dict[str, object] = {"number": number}
    return bool(session.value(query, values if days is None else {**values, "days": list(days)}))


def conditions_of(window: Window, run: EventRun, event: EventType) -> tuple[str, ...]:
    """Return the conditions that find the events of a type; each event meets one of them at most."""
    complete = f"{IS_COMPLETE} and event.happened_at >= {_midnight(run.goal.since)}" if run.goal.since else IS_COMPLETE
    if run.goal.window == "all":
        return (complete,)
    if run.goal.window == "day":
        return (f"{complete} and {within(window.days or ())}",)
    if not (known := window.positions.get(event.name, Position()).written_at):
        return (complete,)
    is_new = f"event._written_at > timestamptz '{known.isoformat()}'"
    event_hash = EVENT_HASH.format(type=f"'{event.name}'", id="event.event_id")
    again = f"""{complete} and not ({is_new}) and {within(window.undelivered)} and {event_hash} in (
        select event_hash from warehouse.exported_event where goal_number = {window.goal_number} and row_hash is null
    )"""
    return (f"{complete} and {is_new}", *([again] if window.undelivered else []))


def may_be_removed(run: EventRun) -> str:
    """Return the condition that `keep_days` may have removed an event of `event_type` that happened on `day`.

    One day more counts, for a run that reads events after midnight.
    """
    tomorrow = run.now.astimezone(UTC).date() + _ONE_DAY
    each = (
        f"event_type = {quote_literal(event.name)} and day <= date '{tomorrow - timedelta(days=event.keep_days)}'"
        for event in run.goal.types(run.profiles)
        if event.keep_days
    )
    return f"({' or '.join(each) or 'false'})"


def within(days: Iterable[date]) -> str:
    """Return the condition that an event happened on one of these days, as ranges that row groups are compared with."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(days):
        if ranges and ranges[-1][1] == day:
            ranges[-1] = (ranges[-1][0], day + _ONE_DAY)
        else:
            ranges.append((day, day + _ONE_DAY))
    each = (
        f"(event.happened_at >= {_midnight(first)} and event.happened_at < {_midnight(end)})" for first, end in ranges
    )
    return f"({' or '.join(each) or 'false'})"


def _midnight(day: date) -> str:
    return f"timestamptz '{day.isoformat()} 00:00:00+00'"


def _goal_number(session: Session, run: EventRun) -> int:
    query = "select number from warehouse.exported_goal where connection = ? and goal = ?"
    return next((number for (number,) in session.rows(query, [run.connection, run.goal.name])), 0)


def _position(session: Session, run: EventRun, number: int, event: EventType) -> Position:
    """Return how far the goal has looked; where something else is declared since, at nothing."""
    query = (
        "select written_at, day from warehouse.exported_until where goal_number = ? and event_type = ? and scope = ?"
    )
    found = session.rows(query, [number, event.name, run.scope])
    return Position(*found[0]) if found else Position()


def _written_since(session: Session, event: EventType, since: datetime | None) -> tuple[datetime | None, list[date]]:
    """Return when the latest event was written, and the days of those that are new; none where all are.

    With these are the days that they were of before.
    """
    if since is None:
        return session.value(f"select max(event._written_at) from {_table(event)}"), []
    query = f"""
        select max(event._written_at), list(distinct {DAY}) filter ({IS_COMPLETE} and {_HAS_DAY})
        from {_table(event)}
        where event._written_at > $since"""
    latest, days = session.row(query, {"since": since})
    left = session.rows(
        f"select distinct day from warehouse.left_day where event_type = ? and written_at > ? and {_IN_PYTHON}",
        [event.name, since],
    )
    return latest, [*(days or []), *(day for (day,) in left)]


def _days_after(session: Session, event: EventType, day: date | None, last: date) -> list[date]:
    """Return the days with events that have passed since a day was delivered."""
    first = f"event.happened_at >= {_midnight(day + _ONE_DAY)}" if day else _HAS_DAY
    query = f"""
        select list(distinct {DAY})
        from {_table(event)}
        where {IS_COMPLETE} and {first} and event.happened_at < {_midnight(last + _ONE_DAY)}"""
    return session.value(query) or []


_HAS_DAY = "event.happened_at between timestamptz '0001-01-01 00:00:00+00' and timestamptz '9999-12-30 00:00:00+00'"
"""The condition that Python has a value for its day."""

_IN_PYTHON = "day between date '0001-01-01' and date '9999-12-30'"
"""The condition that Python has a value for a day."""


def _undelivered(session: Session, run: EventRun, number: int, last: date) -> list[date]:
    """Return the days of events that the goal could not deliver."""
    query = f"""
        select distinct day
        from warehouse.exported_event
        where goal_number = $number and row_hash is null and event_type in (select unnest($types)) and {_IN_PYTHON}"""
    days = [day for (day,) in session.rows(query, {"number": number, "types": list(run.goal.events)})]
    return days if run.goal.window == "since_last" else [day for day in days if day <= last]


def _table(event: EventType) -> str:
    return f"warehouse.{quote_identifier(event.table)} event"
