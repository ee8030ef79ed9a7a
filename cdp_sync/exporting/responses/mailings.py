"""Which mailings are due: their first event is old enough, and nothing of them was delivered, or they have grown since.

A run reads the mailing and two times of every event, whatever is due: nothing has to be noted when events arrive.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cdp_sync.exporting.run import ResponseRun
from cdp_sync.model import EventType
from cdp_sync.warehouse import EventColumns, Session, Step, event_columns, fixed, quote_identifier, quote_literal

_ONE_DAY = timedelta(days=1)
_IN_PYTHON = "due_at between timestamptz '0001-01-02 00:00:00+00' and timestamptz '9999-12-30 00:00:00+00'"
"""The condition that Python has a value for the time."""


@dataclass(frozen=True)
class Mailings:
    """The mailings of which a goal has not delivered all responses."""

    due: tuple[tuple[str, datetime], ...]
    """Those that are due, with the time at which the latest of their events was written."""
    next_due: datetime | None
    """When the next one is due; None: no other is known."""


def look_at_mailings(session: Session, run: ResponseRun) -> Mailings:
    """Return the mailings that are due, and when the next one is. Nothing is staged."""
    made = mailing_step(session, run, event_columns(session))
    due = session.rows(f"select mailing, written_at from ({made.sql}) where is_due order by mailing", made.values)
    query = f"select min(due_at) from ({made.sql}) where not is_due and {_IN_PYTHON}"
    return Mailings(tuple(due), session.value(query, made.values))


def mailing_step(session: Session, run: ResponseRun, stored: EventColumns) -> Step:
    """Return the query for the mailings of which not all responses are delivered."""
    values = {
        "number": _goal_number(session, run),
        "scope": run.scope,
        "now": run.now,
        "patience": round(run.goal.after_hours * 3_600_000_000),
    }
    since = f"begun_at >= timestamptz '{run.goal.since} 00:00:00+00'" if run.goal.since else "true"
    parts = {"responses": responses(run, stored), "removed": _may_be_removed(run), "since": since}
    return fixed("mailing", "exporting/responses/mailing", values, **parts)


def responses(run: ResponseRun, stored: EventColumns) -> str:
    """Return the query for all events that are responses to a mailing, of types that have a table."""
    types = run.goal.types(run.profiles)
    selects = [_select(run, role, event, stored) for role, event in types.items() if event.name in stored]
    return " union all ".join(selects) or _NOTHING


def _select(run: ResponseRun, role: str, event: EventType, stored: EventColumns) -> str:
    def text(key: str) -> str:
        prop = run.goal.single(key, event)
        known = prop and prop.name in stored[event.name]
        return f"nullif(event.{quote_identifier(prop.name)}::varchar, '')" if prop and known else "null::varchar"

    link_id = "link_id" in event.by_name and "link_id" in stored[event.name]
    return f"""select {quote_literal(role)} as role, {text("mailing")} as mailing, event.profile_id, event.happened_at,
        coalesce(event._written_at, event.happened_at) as written_at, {text("link")} as link,
        {"event.link_id::varchar" if link_id else "null::varchar"} as link_id, {text("bounce_kind")} as kind
    from warehouse.{quote_identifier(event.table)} event
    where event.profile_id is not null and event.happened_at is not null and {text("mailing")} is not null"""


_NOTHING = """select '' as role, null::varchar as mailing, null::uuid as profile_id, null::timestamptz as happened_at,
    null::timestamptz as written_at, null::varchar as link, null::varchar as link_id, null::varchar as kind
where false"""


def _may_be_removed(run: ResponseRun) -> str:
    """Return the condition that `keep_days` may have removed an event of a mailing. One day more counts."""
    days = [event.keep_days for event in run.goal.types(run.profiles).values() if event.keep_days]
    if not days:
        return "false"
    kept_since = run.now.astimezone(UTC) - timedelta(days=min(days)) + _ONE_DAY
    return f"begun_at < timestamptz '{kept_since.isoformat()}'"


def _goal_number(session: Session, run: ResponseRun) -> int:
    query = "select number from warehouse.exported_goal where connection = ? and goal = ?"
    return next((number for (number,) in session.rows(query, [run.connection, run.goal.name])), 0)
