"""What is asked of a property, as a SQL condition over an expression for its value: of a profile, an event or an item.

Pure, and never null: a question about a missing value is false, so that `not` is the exact opposite.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from cdp_sync.model import Condition, Property
from cdp_sync.model.operators import TEXTS
from cdp_sync.model.profile import literal
from cdp_sync.model.segment import Question
from cdp_sync.segments.statements import SqlType
from cdp_sync.warehouse import quote_identifier

Value = ColumnElement[Any]
Holds = ColumnElement[bool]
Columns = Collection[str] | None
"""The columns that the warehouse has, as `warehouse_columns` names them; None: all that are declared."""


def column_of(prop: Property, columns: Columns = None, table: str = "") -> Value:
    """Return a property's column, or a null of its type where the table has no such column yet.

    Without a `table` it is a column of profiles. A table has the same name in statements as in the warehouse.
    """
    if columns is None or (f"{table}.{prop.name}" if table else prop.name) in columns:
        named = f"{quote_identifier(table or 'profile')}.{quote_identifier(prop.name)}"
        return sa.literal_column(named, SqlType(prop.sql_type))
    return nothing(prop)


def nothing(prop: Property) -> Value:
    """Return a null of a property's type."""
    return sa.cast(sa.null(), SqlType(prop.sql_type))


def answer(question: Question, prop: Property, value: Value, now: datetime) -> Holds:
    """Return the condition that a property's value is what a question asks for."""
    values = Values(prop, value)
    holds: Holds = question.operator.holds(values, *_wanted(prop, question, now))
    return sa.not_(holds) if question.is_opposite else holds


def _wanted(prop: Property, question: Question, now: datetime) -> list[Value]:
    """Return what a property is compared with, bound; where time is counted, the first and the last moment."""
    values = [literal(prop, value) for value in question.values]
    if question.operator.span:
        # In UTC: days of a zone that changes its clocks are not all of 24 hours.
        now = now.astimezone(UTC)
        here = now.date() if prop.type == "date" else now
        values = sorted((here, here + question.wanted * question.operator.span))
    if question.operator.wants is TEXTS:
        return [_in_lower_case(sa.cast(sa.bindparam(prop.name, values, unique=True), SqlType("VARCHAR[]")))]
    bound = (sa.cast(sa.bindparam(prop.name, value, unique=True), SqlType(prop.value_type)) for value in values)
    return [func.lower(value) if _is_text(prop) else value for value in bound]


def _is_text(prop: Property) -> bool:
    return prop.is_text


@dataclass(frozen=True)
class Values:
    """The values of a property, as the rows of `cdp_sync.model.operators` ask about them. Texts are in lower case."""

    prop: Property
    column: Value

    def is_empty(self) -> Holds:
        """Return the condition that there is no value."""
        if self.prop.multiple or _is_text(self.prop):
            empty: Value = sa.literal_column("[]" if self.prop.multiple else "''")
            return func.coalesce(self.column, empty) == empty
        return self.column.is_(None)

    def any(self, holds: Callable[[Value], Holds]) -> Holds:
        """Return the condition that one value satisfies another condition."""
        if not self.prop.multiple:
            return known(holds(func.lower(self.column) if _is_text(self.prop) else self.column))
        return any_of(self.column, holds(func.lower(EACH) if _is_text(self.prop) else EACH))

    def has_any(self, texts: Value) -> Holds:
        """Return the condition that one value is one of these texts."""
        if self.prop.multiple:
            return known(func.list_has_any(_in_lower_case(self.column), texts))
        if isinstance(self.column, Field):  # inside a lambda there are no queries
            return known(func.list_contains(texts, func.lower(self.column)))
        # A join with the values: as quick for thousands as for one.
        return known(func.lower(self.column).in_(sa.select(func.unnest(texts))))

    def has_all(self, texts: Value) -> Holds:
        """Return the condition that each of these texts is a value."""
        mine = _in_lower_case(self.column) if self.prop.multiple else func.list_value(func.lower(self.column))
        return known(func.list_has_all(mine, texts))


def combined(when: Condition, holds: Callable[[Condition], Holds]) -> Holds:
    """Return what `all`, `any` or `not` makes of the conditions inside."""
    parts = map(holds, when.parts)
    if when.not_:
        return sa.not_(*parts)
    return sa.and_(*parts) if when.all else sa.or_(*parts)


def holds(
    where: Condition,
    values: Mapping[str, tuple[Property, Value]],
    now: datetime,
    about_items: Any = None,  # noqa: ANN401 - a function
) -> Holds:
    """Return the condition that properties, given with their values, meet a declared condition."""
    if where.parts:
        return combined(where, lambda part: holds(part, values, now, about_items))
    if where.items:
        met: Holds = about_items(where)
        return met
    [question] = where.questions()
    prop, value = values[str(where.property)]
    return answer(question, prop, value, now)


def known(holds: Holds) -> Holds:
    """Return a condition that is false where the answer is null."""
    return func.coalesce(holds, sa.false(), type_=sa.Boolean())


def any_of(values: Value, holds: Holds) -> Holds:
    """Return the condition that a list has an element, `EACH`, that satisfies another condition."""
    return known(func.list_contains(func.list_transform(values, OverEach(holds)), sa.true()))


def _in_lower_case(texts: Value) -> Value:
    return func.list_transform(texts, OverEach(func.lower(EACH)))


EACH: Value = sa.literal_column("_each")
"""An element of a list; no property can have such a name."""


class Field(ColumnElement[Any]):
    """A field of an element that is a struct; a null where the structs have no such field yet."""

    inherit_cache = False

    def __init__(self, prop: Property, *, stored: bool) -> None:
        self.sql = f"_each.{quote_identifier(prop.name)}" if stored else f"cast(null as {prop.sql_type})"
        self.type = SqlType(prop.sql_type)


@compiles(Field)
def _compile_field(element: Field, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return element.sql


class OverEach(ColumnElement[Any]):
    """A lambda: an expression over each element of a list."""

    inherit_cache = False

    def __init__(self, result: Value) -> None:
        self.result = result


@compiles(OverEach)
def _compile_each(element: OverEach, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return f"lambda _each: {compiler.process(element.result, **options)}"
