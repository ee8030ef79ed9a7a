"""Segments: groups of profiles, told by nested conditions."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Literal, NoReturn

from pydantic import BeforeValidator, Field, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.privacy import ConsentState


def _value(found: object) -> object:
    # Looked at here, as pydantic would tell what is no value once for every type that it could have had.
    return found if isinstance(found, bool | int | float | date | str) else _refuse(found, "one value, such as 40")


def _text(found: object) -> object:
    return found if isinstance(found, str) else _refuse(found, "text, in quotes where YAML takes it for something else")


def _some(found: object) -> object:
    return found if found and isinstance(found, list | tuple) else _refuse(found, "a list with something in it")


def _two(found: object) -> object:
    two = isinstance(found, list | tuple) and len(found) == 2
    return found if two else _refuse(found, "a list of two values, the first and the last")


def _refuse(found: object, needed: str) -> NoReturn:
    raise ValueError(f"found {_shape(found)}; needed is {needed}")


def _shape(found: object) -> str:
    if isinstance(found, list | tuple):
        return f"a list of {len(found)}" if found else "an empty list"
    return "nested keys" if isinstance(found, dict) else "nothing" if found is None else repr(found)


Value = Annotated[bool | int | float | datetime | date | str, BeforeValidator(_value)]
Texts = Annotated[tuple[Annotated[str, BeforeValidator(_text)], ...], BeforeValidator(_some)]
Range = Annotated[tuple[Value, Value], BeforeValidator(_two)]
Parts = Annotated[tuple["Condition", ...], BeforeValidator(_some)]
Count = Annotated[int, Field(ge=1, le=100_000)]

KINDS = ("all", "any", "not", "property", "segment", "objective")
"""What a condition can be; exactly one of them."""

PLAIN_OPERATORS = (
    "contains_any", "contains_all", "equals", "at_least", "at_most", "between", "before", "after",
    "in_last_days", "in_next_days", "in_last_hours", "in_next_hours",
)  # fmt: skip
OPERATORS = ("is_empty", "has_value", *PLAIN_OPERATORS, *(f"not_{name}" for name in PLAIN_OPERATORS))
"""What can be asked of a property."""


def _attribute(kind: str) -> str:
    return "not_" if kind == "not" else kind


class Condition(Declared):
    """A condition: `all`, `any` or `not` of others, or a question about a property, a segment or consent."""

    all: Parts | None = None
    """Every one of these holds."""
    any: Parts | None = None
    """One of these holds at least."""
    not_: Annotated["Condition | None", Field(alias="not")] = None
    """This does not hold."""
    segment: str | None = None
    """The profile is in this segment."""
    objective: str | None = None
    """The objective that `consent` is about."""
    consent: ConsentState | None = None
    """What the profile says of the objective."""
    property: str | None = None
    """The property that is asked about, with one operator beside it. Of several values one has to satisfy it."""
    is_empty: Literal[True] | None = None
    """There is no value."""
    has_value: Literal[True] | None = None
    """There is a value."""
    contains_any: Texts | None = None
    """Has one of these values at least, in any case."""
    contains_all: Texts | None = None
    """Has all of these values, in any case."""
    equals: Value | None = None
    """Is this value; text in any case."""
    at_least: Value | None = None
    """Is this or more."""
    at_most: Value | None = None
    """Is this or less."""
    between: Range | None = None
    """Is from the first to the second, both included."""
    before: Value | None = None
    """Is a date or time before this one."""
    after: Value | None = None
    """Is a date or time after this one."""
    in_last_days: Count | None = None
    """Lies within so many days before now: times of 24 hours, dates of the calendar in UTC."""
    in_next_days: Count | None = None
    """Lies within so many days from now."""
    in_last_hours: Count | None = None
    """Lies within so many hours before now."""
    in_next_hours: Count | None = None
    """Lies within so many hours from now."""
    not_contains_any: Texts | None = None
    """The opposite of `contains_any`; true where there is no value."""
    not_contains_all: Texts | None = None
    """The opposite of `contains_all`; true where there is no value."""
    not_equals: Value | None = None
    """The opposite of `equals`; true where there is no value."""
    not_at_least: Value | None = None
    """The opposite of `at_least`; true where there is no value."""
    not_at_most: Value | None = None
    """The opposite of `at_most`; true where there is no value."""
    not_between: Range | None = None
    """The opposite of `between`; true where there is no value."""
    not_before: Value | None = None
    """The opposite of `before`; true where there is no value."""
    not_after: Value | None = None
    """The opposite of `after`; true where there is no value."""
    not_in_last_days: Count | None = None
    """The opposite of `in_last_days`; true where there is no value."""
    not_in_next_days: Count | None = None
    """The opposite of `in_next_days`; true where there is no value."""
    not_in_last_hours: Count | None = None
    """The opposite of `in_last_hours`; true where there is no value."""
    not_in_next_hours: Count | None = None
    """The opposite of `in_next_hours`; true where there is no value."""

    @model_validator(mode="before")
    @classmethod
    def _has_keys(cls, found: object) -> object:
        known = isinstance(found, dict | Condition)
        return found if known else _refuse(found, f"a condition: one of {', '.join(KINDS)}")

    @model_validator(mode="after")
    def _check(self) -> "Condition":
        if problem := next(self._problems(), None):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        kinds = [kind for kind in KINDS if getattr(self, _attribute(kind)) is not None]
        if len(kinds) != 1:
            yield f"found {' and '.join(kinds) or 'none of them'}; a condition is exactly one of {', '.join(KINDS)}"
        operators = self.operators
        if (self.property is None) != (not operators) or len(operators) > 1:
            found = ", ".join(operators) or "none"
            yield f"found {found}; a property is asked with exactly one operator: {', '.join(OPERATORS)}"
        if (self.objective is None) != (self.consent is None):
            yield "objective and consent belong together, as in `objective: news, consent: refused`"

    @cached_property
    def operators(self) -> tuple[str, ...]:
        """The operators that stand beside the property; one, if it is in order."""
        return tuple(name for name in OPERATORS if getattr(self, name) is not None)

    @cached_property
    def parts(self) -> tuple["Condition", ...]:
        """The conditions inside."""
        return self.all or self.any or ((self.not_,) if self.not_ else ())

    def walk(self, place: str = "when") -> Iterator[tuple[str, "Condition"]]:
        """Yield this condition and all inside, each with its place in the declaration."""
        yield place, self
        for index, part in enumerate(self.parts):
            inside = f"{place}.not" if self.not_ else f"{place}.{'all' if self.all else 'any'}[{index}]"
            yield from part.walk(inside)


class Segment(Declared):
    """A group of profiles."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; the last part of its asset key."""
    title: str | None = None
    """What people call it."""
    when: Condition
    """Which profiles belong to it."""

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name
