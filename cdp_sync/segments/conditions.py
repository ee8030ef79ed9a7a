"""A declared condition as a SQL condition over the columns of `warehouse.profile`, called `profile`.

Pure, and never null: a question about a missing value is false, so that `not` is the exact opposite.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from cdp_sync.model import Condition, Profiles, Property
from cdp_sync.model.operators import TEXTS
from cdp_sync.model.profile import literal
from cdp_sync.model.segment import Question
from cdp_sync.segments.consent import ConsentColumns, consent_is
from cdp_sync.segments.statements import SqlType
from cdp_sync.warehouse import quote_identifier

Value = ColumnElement[Any]
Holds = ColumnElement[bool]


def condition_of(
    when: Condition, profiles: Profiles, now: datetime, columns: Collection[str] | None = None
) -> ColumnElement[bool]:
    """Return the SQL condition that a profile meets a declared one, which has no problems.

    "In the last days" counts from `now`, which has an offset from UTC. A property that `columns`, those of the table,
    does not hold is empty; None: all are there.
    """
    return _Compiler(profiles, now, columns).holds(when)


def column_of(prop: Property, columns: Collection[str] | None = None) -> ColumnElement[Any]:
    """Return a property's column, or a null of its type where the table has no such column yet."""
    if columns is None or prop.name in columns:
        return sa.literal_column(f"profile.{quote_identifier(prop.name)}", SqlType(prop.sql_type))
    return sa.cast(sa.null(), SqlType(prop.sql_type))


@dataclass(frozen=True)
class _Compiler:
    """What every part of a condition is compiled with."""

    profiles: Profiles
    now: datetime
    columns: Collection[str] | None

    def holds(self, when: Condition) -> Holds:
        if when.all:
            return sa.and_(*map(self.holds, when.all))
        if when.any:
            return sa.or_(*map(self.holds, when.any))
        if when.not_:
            return sa.not_(self.holds(when.not_))
        if when.segment:
            return self.holds(self.profiles.segment(when.segment).when)
        if when.objective:
            columns = ConsentColumns.of_profile(self.profiles, self.columns)
            state = consent_is(str(when.consent), when.objective, self.profiles, columns)
            return sa.literal_column(f"({state})", sa.Boolean())
        (question,) = when.questions()
        prop = self.profiles.by_name[str(when.property)]
        values = _Values(prop, column_of(prop, self.columns))
        holds: Holds = question.operator.holds(values, *self._wanted(prop, question))
        return sa.not_(holds) if question.is_opposite else holds

    def _wanted(self, prop: Property, question: Question) -> list[Value]:
        """Return what a property is compared with, bound; where time is counted, the first and the last moment."""
        values = [literal(prop, value) for value in question.values]
        if question.operator.span:
            # In UTC: days of a zone that changes its clocks are not all of 24 hours.
            now = self.now.astimezone(UTC)
            here = now.date() if prop.type == "date" else now
            values = sorted((here, here + question.wanted * question.operator.span))
        if question.operator.wants is TEXTS:
            return [_in_lower_case(sa.cast(sa.bindparam(prop.name, values, unique=True), SqlType("VARCHAR[]")))]
        bound = (sa.cast(sa.bindparam(prop.name, value, unique=True), SqlType(prop.value_type)) for value in values)
        return [func.lower(value) if _is_text(prop) else value for value in bound]


def _is_text(prop: Property) -> bool:
    return prop.is_text


@dataclass(frozen=True)
class _Values:
    """The values of a property, as the rows of `cdp_sync.model.operators` ask about them. Texts are in lower case."""

    prop: Property
    column: Value

    def is_empty(self) -> Holds:
        if self.prop.multiple or _is_text(self.prop):
            nothing: Value = sa.literal_column("[]" if self.prop.multiple else "''")
            return func.coalesce(self.column, nothing) == nothing
        return self.column.is_(None)

    def any(self, holds: Callable[[Value], Holds]) -> Holds:
        value = _EACH if self.prop.multiple else self.column
        answer = holds(func.lower(value) if _is_text(self.prop) else value)
        if self.prop.multiple:
            answer = func.list_contains(func.list_transform(self.column, _Each(answer)), sa.true())
        return _known(answer)

    def has_any(self, texts: Value) -> Holds:
        if self.prop.multiple:
            return _known(func.list_has_any(_in_lower_case(self.column), texts))
        # A join with the values: as quick for thousands as for one.
        return _known(func.lower(self.column).in_(sa.select(func.unnest(texts))))

    def has_all(self, texts: Value) -> Holds:
        mine = _in_lower_case(self.column) if self.prop.multiple else func.list_value(func.lower(self.column))
        return _known(func.list_has_all(mine, texts))


def _known(answer: Holds) -> Holds:
    """Return a condition that is false where the answer is null."""
    return func.coalesce(answer, sa.false(), type_=sa.Boolean())


def _in_lower_case(texts: Value) -> Value:
    return func.list_transform(texts, _Each(func.lower(_EACH)))


_EACH: Value = sa.literal_column("_each")
"""An element of a list; no property can have such a name."""


class _Each(ColumnElement[Any]):
    """A lambda: an expression over each element of a list."""

    inherit_cache = False

    def __init__(self, result: Value) -> None:
        self.result = result


@compiles(_Each)
def _compile_each(element: _Each, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return f"lambda _each: {compiler.process(element.result, **options)}"
