"""The operators of segment conditions: one row each.

Validation, the editor's schema, SQL and words derive from the rows: a new operator is one more row. A row builds its
condition with the values' own comparisons, such as `operator.ge`, so this module needs no SQL library.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BeforeValidator, Field

from cdp_sync.model.declared import PropertyType
from cdp_sync.model.property import TEXT_TYPES


def not_empty(found: object) -> object:
    """Return a list with at least one entry; anything else is a `ValueError`."""
    return found if found and isinstance(found, list | tuple) else refuse(found, "a list with something in it")


def refuse(found: object, needed: str) -> NoReturn:
    """Raise a `ValueError` that shows the shape of what was found, and what is needed."""
    shape = "nested keys" if isinstance(found, dict) else "nothing" if found is None else repr(found)
    if isinstance(found, list | tuple):
        shape = f"a list of {len(found)}" if found else "an empty list"
    raise ValueError(f"found {shape}; needed is {needed}")


@dataclass(frozen=True)
class Shape:
    """What stands beside an operator's name: its type, and the values in it that the property is compared with."""

    type: Any
    values: Callable[[Any], tuple[Any, ...]] = lambda _: ()


def _of(types: Any, needed: str) -> BeforeValidator:  # noqa: ANN401 - a class, or several
    return BeforeValidator(lambda found: found if isinstance(found, types) else refuse(found, needed))


def _two(found: object) -> object:
    two = isinstance(found, list | tuple) and len(found) == 2
    return found if two else refuse(found, "a list of two values, the first and the last")


_VALUES = bool | int | float | datetime | date | str
# Checked before the union: of a value of no type, pydantic reports one error for each type.
Value = Annotated[_VALUES, _of(_VALUES, "one value, such as 40")]
Count = Annotated[int, Field(ge=1, le=100_000)]
_Text = Annotated[str, _of(str, "text, in quotes where YAML takes it for something else")]

FLAG = Shape(Literal[True])
COUNT = Shape(Count)
VALUE = Shape(Value, lambda value: (value,))
RANGE = Shape(Annotated[tuple[Value, Value], BeforeValidator(_two)], tuple)
TEXTS = Shape(Annotated[tuple[_Text, ...], BeforeValidator(not_empty)], tuple)


@dataclass(frozen=True)
class Operator:
    """What can be asked of a property.

    Args:
        name: The key beside `property`.
        types: The property types that it applies to.
        wants: What stands beside it.
        holds: Returns the condition. Receives the property's values, an expression with the methods `is_empty`, `any`,
            `has_any` and `has_all`, and what they are compared with.
        words: What follows "is" in a sentence about the property; `{}` stands for what it is compared with.
        meaning: Description in the editor's schema.
        of_all: What follows the property's name where a sentence is about all its values, and the opposite of that.
        span: Of a `COUNT`: the time from now that one of it stands for.
        denied: Name of the opposite; `not_` before the name where it is not given.
    """

    name: str
    types: tuple[PropertyType, ...]
    wants: Shape
    holds: Callable[..., Any]
    words: str
    meaning: str
    of_all: tuple[str, str] | None = None
    span: timedelta | None = None
    denied: str = ""

    def __reduce__(self) -> tuple[Callable[[str], "Operator"], tuple[str]]:
        """Pickle the row by its name, since its functions cannot be pickled."""
        return _row, (self.name,)

    @property
    def opposite(self) -> str:
        """Name of the opposite."""
        return self.denied or f"not_{self.name}"


def _one(compare: Callable[..., Any]) -> Callable[..., Any]:
    """Return the condition that one of a property's values compares so."""
    return lambda values, *wanted: values.any(lambda each: compare(each, *wanted))


def _between(value: Any, first: Any, last: Any) -> Any:  # noqa: ANN401 - expressions
    return value.between(first, last)


_TEXT: tuple[PropertyType, ...] = TEXT_TYPES
_TIMES: tuple[PropertyType, ...] = ("date", "datetime")
_ORDERED: tuple[PropertyType, ...] = ("number", "decimal", *_TIMES)
_EVERY: tuple[PropertyType, ...] = (*_TEXT, "boolean", *_ORDERED)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)

OPERATORS = (
    Operator(
        "is_empty", _EVERY, FLAG, lambda values: values.is_empty(), "empty", "There is no value.",
        of_all=("is empty", "has a value"), denied="has_value",
    ),
    Operator(
        "contains_any", _TEXT, TEXTS, lambda values, texts: values.has_any(texts), "one of {}",
        "Has one of these values at least, in any case.", of_all=("has one of {}", "has none of {}"),
    ),
    Operator(
        "contains_all", _TEXT, TEXTS, lambda values, texts: values.has_all(texts), "all of {}",
        "Has all of these values, in any case.", of_all=("has all of {}", "does not have all of {}"),
    ),
    Operator("equals", _EVERY, VALUE, _one(operator.eq), "{}", "Is this value; text in any case."),
    Operator("at_least", _ORDERED, VALUE, _one(operator.ge), "at least {}", "Is this or more."),
    Operator("at_most", _ORDERED, VALUE, _one(operator.le), "at most {}", "Is this or less."),
    Operator(
        "between", _ORDERED, RANGE, _one(_between), "between {} and {}",
        "Is from the first to the second, both included.",
    ),
    Operator("before", _TIMES, VALUE, _one(operator.lt), "before {}", "Is a date or time before this one."),
    Operator("after", _TIMES, VALUE, _one(operator.gt), "after {}", "Is a date or time after this one."),
    Operator(
        "in_last_days", _TIMES, COUNT, _one(_between), "in the last {} days",
        "Lies within so many days before now: times of 24 hours, dates of the calendar in UTC.", span=-_DAY,
    ),
    Operator(
        "in_next_days", _TIMES, COUNT, _one(_between), "in the next {} days",
        "Lies within so many days from now.", span=_DAY,
    ),
    Operator(
        "in_last_hours", ("datetime",), COUNT, _one(_between), "in the last {} hours",
        "Lies within so many hours before now.", span=-_HOUR,
    ),
    Operator(
        "in_next_hours", ("datetime",), COUNT, _one(_between), "in the next {} hours",
        "Lies within so many hours from now.", span=_HOUR,
    ),
)  # fmt: skip
"""The table."""

_BOTH = [pair for row in OPERATORS for pair in ((row.name, (row, False)), (row.opposite, (row, True)))]
NAMES: dict[str, tuple[Operator, bool]] = dict(sorted(_BOTH, key=lambda pair: pair[0].startswith("not_")))
"""Every key that can stand beside `property`: its row, and whether it is the opposite. Those with `not_` come last."""


def _row(name: str) -> Operator:
    return NAMES[name][0]
