"""Conditions about the events of profiles, as SQL. Never null.

An event without a profile or a time waits for them, and is not counted. A type without a table has no events.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import Join, NamedFromClause

from cdp_sync.model import Condition, EventProperty, EventType, EventWindow, Profiles, Property
from cdp_sync.model.segment import Then
from cdp_sync.segments.questions import Columns, Field, Holds, Value, any_of, column_of, holds
from cdp_sync.segments.windows import in_window

PROFILE_ID: Value = sa.literal_column("profile.profile_id")


@dataclass(frozen=True)
class Events:
    """The events of one type, as rows of its table that statements read."""

    type: EventType
    now: datetime
    columns: Columns

    @property
    def are_stored(self) -> bool:
        """Whether there is a table of them."""
        return self.columns is None or f"{self.type.table}.event_id" in self.columns

    @property
    def table(self) -> NamedFromClause:
        """The table, under its own name."""
        return sa.table(self.type.table, schema="warehouse").alias(self.type.table)

    def column(self, name: str) -> Value:
        """Return a column that every event has."""
        return sa.literal_column(f'"{self.type.table}".{name}')

    def value(self, prop: Property) -> Value:
        """Return the column of one of its properties."""
        return column_of(prop, self.columns, self.type.table)

    def field(self, nested: EventProperty, prop: Property) -> Value:
        """Return a property of an item, inside a lambda over the items."""
        stored = self.columns is None or f"{self.type.table}.{nested.name}.{prop.name}" in self.columns
        return Field(prop, stored=stored)

    def counted(self, where: Condition | None, window: EventWindow) -> list[Holds]:
        """Return the conditions that an event has a time, is in the window and meets `where`."""
        happened_at = self.column("happened_at")
        return [
            happened_at.is_not(None),
            *in_window(window, happened_at, self.now),
            *([self.meets(where)] if where else []),
        ]

    def meets(self, where: Condition) -> Holds:
        """Return the condition that an event meets a declared one on its properties and items."""
        values = {prop.name: (prop, self.value(prop)) for prop in self.type.properties}

        def about_items(part: Condition) -> Holds:
            nested = self.type.by_name[str(part.items)]
            fields = {prop.name: (prop, self.field(nested, prop)) for prop in nested.items}
            return any_of(self.value(nested), holds(part.part, fields, self.now))

        return holds(where, values, self.now, about_items)


def happens(when: Condition, profiles: Profiles, now: datetime, columns: Columns) -> Holds:
    """Return the condition that a profile has as many events as a declared condition asks for."""
    least, most = when.how_often
    events = Events(profiles.event[str(when.event)], now, columns)
    following = when.then and Events(profiles.event[when.then.event], now, columns)
    if not events.are_stored or (following and not following.are_stored):
        return sa.false() if least else sa.true()
    first = _rows(events, when.where, when.window)
    rows = sa.select(first.c.profile_id)
    if following and when.then:
        rows = _followed(first, _rows(following, when.then.where, EventWindow()), when.then)
    if least > 1 or most:
        rows = rows.group_by(first.c.profile_id)
    if least:
        rows = rows.having(func.count() >= least) if least > 1 else rows
        return PROFILE_ID.in_(rows.having(func.count() <= most) if most else rows)
    return PROFILE_ID.not_in(rows.having(func.count() > most) if most else rows)


def _rows(events: Events, where: Condition | None, window: EventWindow) -> sa.Subquery:
    """Return the query for the profile and time of each event that counts."""
    columns = events.column("profile_id").label("profile_id"), events.column("happened_at").label("happened_at")
    counted = columns[0].is_not(None), *events.counted(where, window)
    return sa.select(*columns).select_from(events.table).where(*counted).subquery()


def _followed(before: sa.Subquery, after: sa.Subquery, then: Then) -> sa.Select[Any]:
    """Return the query for the first events after which the profile has a second one."""
    is_next = sa.and_(before.c.profile_id == after.c.profile_id, before.c.happened_at < after.c.happened_at)
    rows = sa.select(before.c.profile_id).select_from(_Next(before, after, is_next))
    if then.within_days:
        # Hours: a day of an interval would depend on the clock of a time zone.
        return rows.where(after.c.happened_at <= before.c.happened_at + func.to_hours(24 * then.within_days))
    return rows


class _Next(Join):
    """A join with the one row whose time is the nearest: it never makes all pairs of a profile's events."""

    inherit_cache = False


@compiles(_Next)
def _compile_next(join: _Next, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    left, right = (compiler.process(side, **{**options, "asfrom": True}) for side in (join.left, join.right))
    condition: Any = join.onclause
    return f"{left} asof join {right} on {compiler.process(condition, **options)}"
