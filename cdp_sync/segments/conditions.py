"""A declared condition as a SQL condition over the columns of `warehouse.profile`, called `profile`.

Pure, and never null: what is asked of a value that is not there is false, so that `not` is the exact opposite.
"""

import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from cdp_sync.model import CONSENT_PROPERTIES, Condition, Profiles, Property
from cdp_sync.model.literal import literal
from cdp_sync.model.segment_slips import values_of
from cdp_sync.segments.consent import ConsentColumns, consent_is
from cdp_sync.segments.statements import SqlType
from cdp_sync.warehouse import quote_identifier

Value = ColumnElement[Any]
Holds = ColumnElement[bool]

_COMPARED: dict[str, Callable[..., Holds]] = {
    "equals": operator.eq,
    "at_least": operator.ge,
    "at_most": operator.le,
    "before": operator.lt,
    "after": operator.gt,
    "between": lambda value, first, last: value.between(first, last),
}


def condition_of(
    when: Condition, profiles: Profiles, now: datetime, columns: Collection[str] | None = None
) -> ColumnElement[bool]:
    """Return the SQL condition that a profile meets a declared one, which has no slips.

    Args:
        when: The declared condition.
        profiles: The declared profile, with the segments that the condition may name.
        now: What "in the last days" counts from, with its offset from UTC.
        columns: The columns that the table has; a property without one is empty. None: all are there.
    """
    return _Question(profiles, now, columns).holds(when)


def column_of(prop: Property, columns: Collection[str] | None = None) -> ColumnElement[Any]:
    """Return a property's column, or a null of its type where the table has no such column yet."""
    if columns is None or prop.name in columns:
        return literal_column(f"profile.{quote_identifier(prop.name)}", SqlType(prop.sql_type))
    return cast(null(), SqlType(prop.sql_type))


@dataclass(frozen=True)
class _Question:
    """What every part of a condition is asked against."""

    profiles: Profiles
    now: datetime
    columns: Collection[str] | None

    def holds(self, when: Condition) -> Holds:
        if when.all:
            return and_(*map(self.holds, when.all))
        if when.any:
            return or_(*map(self.holds, when.any))
        if when.not_:
            return not_(self.holds(when.not_))
        if when.segment:
            return self.holds(self.profiles.segment(when.segment).when)
        return self._consent(when) if when.objective else self._property(when)

    def _consent(self, when: Condition) -> Holds:
        zone, consented, refused = (self._text_of(name) for name in CONSENT_PROPERTIES)
        columns = ConsentColumns(zone, consented, refused)
        said = consent_is(str(when.consent), str(when.objective), self.profiles, columns)
        return literal_column(f"({said})", Boolean())

    def _text_of(self, name: str) -> str:
        """Return a column as text, for conditions that are text."""
        there = self.columns is None or name in self.columns
        return f"profile.{name}" if there else f"cast(null as {self.profiles.by_name[name].sql_type})"

    def _property(self, when: Condition) -> Holds:
        (asked,) = when.operators
        prop = self.profiles.by_name[str(when.property)]
        column = column_of(prop, self.columns)
        plain = asked.removeprefix("not_")
        if plain in ("is_empty", "has_value"):
            empty = _is_empty(prop, column)
            return empty if plain == "is_empty" else not_(empty)
        values = self._values(prop, when, asked)
        answer = _says(prop, column, plain, values) if _is_text(prop) else _compares(prop, column, plain, values)
        holds = func.coalesce(answer, false(), type_=Boolean())
        return holds if plain == asked else not_(holds)

    def _values(self, prop: Property, when: Condition, asked: str) -> tuple[object, ...]:
        """Return what a property is compared with; where time is counted, the first and the last moment."""
        if values := values_of(when):
            return tuple(literal(prop, value) for value in values)
        count, unit = getattr(when, asked), asked.rpartition("_")[2]
        length = timedelta(hours=count) if unit == "hours" else timedelta(days=count)
        # In UTC: days of a zone that changes its clocks are not all of 24 hours.
        now = self.now.astimezone(UTC)
        here = now.date() if prop.type == "date" else now
        return (here - length, here) if "in_last" in asked else (here, here + length)


def _is_text(prop: Property) -> bool:
    return prop.type in ("text", "email")


def _is_empty(prop: Property, column: Value) -> Holds:
    if prop.multiple or _is_text(prop):
        nothing: Value = literal_column("[]" if prop.multiple else "''")
        return func.coalesce(column, nothing) == nothing
    return column.is_(None)


def _says(prop: Property, column: Value, asked: str, values: Sequence[object]) -> Holds:
    """Return whether a text, or a list of texts, is or has what is asked for, in any case; null where it is null."""
    wanted = cast(bindparam(prop.name, list(values), unique=True), SqlType("VARCHAR[]"))
    if prop.multiple or asked == "contains_all":
        mine = _lowered(column) if prop.multiple else func.list_value(func.lower(column))
        has = func.list_has_all if asked == "contains_all" else func.list_has_any
        return has(mine, _lowered(wanted))
    # A join with the values: as quick for thousands as for one.
    return func.lower(column).in_(select(func.lower(func.unnest(wanted))))


def _lowered(values: Value) -> Value:
    return func.list_transform(values, _Each(func.lower(_EACH)))


def _compares(prop: Property, column: Value, asked: str, values: Sequence[object]) -> Holds:
    """Return whether a value, or one of several, compares as asked; null where there is none."""
    bound = [cast(bindparam(prop.name, value, unique=True), SqlType(prop.value_type)) for value in values]
    compared = _COMPARED.get(asked, _COMPARED["between"])
    if not prop.multiple:
        return compared(column, *bound)
    return func.list_contains(func.list_transform(column, _Each(compared(_EACH, *bound))), true())


_EACH: Value = literal_column("_each")
"""An element of a list; no property can have such a name."""


class _Each(ColumnElement[Any]):
    """A lambda: what becomes of each element of a list."""

    inherit_cache = False

    def __init__(self, result: Value) -> None:
        self.result = result


@compiles(_Each)
def _compile_each(element: _Each, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return f"lambda _each: {compiler.process(element.result, **options)}"
