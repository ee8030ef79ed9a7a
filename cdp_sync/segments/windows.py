"""A window as a SQL condition over the time of an event.

By the calendar, an event leaves the last N days at the first midnight in UTC that is not before its time plus N days.
That is BlueConic's rule, article 27078920364443: for 7 days, an event of 4 April, 06:00, counts up to 11 April, 24:00.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa

from cdp_sync.model import EventWindow
from cdp_sync.model.profile import literal
from cdp_sync.model.window import HAPPENED_AT
from cdp_sync.segments.questions import Holds, Value
from cdp_sync.segments.statements import SqlType


def in_window(window: EventWindow, happened_at: Value, now: datetime) -> Iterator[Holds]:
    """Yield the conditions that a time is in a window at a moment, which has an offset from UTC."""
    now = now.astimezone(UTC)
    if window.in_last_days and window.days == "exact":
        yield happened_at.between(_bound(now - timedelta(days=window.in_last_days)), _bound(now))
    elif window.in_last_days:
        today = datetime.combine(now.date(), time(), UTC)
        yield happened_at > _bound(today - timedelta(days=window.in_last_days))
        yield happened_at <= _bound(now)
    if window.in_last_hours:
        yield happened_at.between(_bound(now - timedelta(hours=window.in_last_hours)), _bound(now))
    if window.after is not None:
        yield happened_at > _bound(literal(HAPPENED_AT, window.after))
    if window.before is not None:
        yield happened_at < _bound(literal(HAPPENED_AT, window.before))


def _bound(moment: object) -> Value:
    return sa.cast(sa.bindparam("moment", moment, unique=True), SqlType(HAPPENED_AT.value_type))
