"""Segments: groups of profiles, defined by nested conditions.

A condition inside `where` is about an event, an item or a group: only `all`, `any`, `not`, `property` and `items`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.operators import NAMES, Count, Operator, not_empty, refuse
from cdp_sync.model.privacy import ConsentState
from cdp_sync.model.window import Days, EventWindow

Parts = Annotated[tuple["Condition", ...], BeforeValidator(not_empty)]
Stages = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda found: (found,) if isinstance(found, str) else not_empty(found), json_schema_input_type=str | list[str]
    ),
]

KINDS = ("all", "any", "not", "property", "segment", "objective", "event", "items", "group", "lifecycle")
"""What a condition can be; exactly one of them. `items` and `group` may have `property` beside them."""

_BESIDE = {"event": ("never", "exactly", "days", "then"), "lifecycle": ("stage",)}
"""Keys that only stand beside another one."""
_SHARED = ("at_least", "at_most", *(name for name in EventWindow.model_fields if name in NAMES))
"""Operators of properties that say beside `event` how often and when."""


@dataclass(frozen=True)
class Question:
    """What a condition asks of a property: an operator or its opposite, and what the values are compared with."""

    name: str
    operator: Operator
    is_opposite: bool
    wanted: Any

    @property
    def values(self) -> tuple[Any, ...]:
        """The values in `wanted` that have to be of the property's type."""
        return self.operator.wants.values(self.wanted)


class Then(Declared):
    """The event that comes after another one of the same profile."""

    event: str
    """Its type."""
    within_days: Count | None = None
    """At most so many days of 24 hours later."""
    where: Annotated["Condition | None", Field()] = None
    """It meets this condition on its properties."""


class _Kinds(Declared):
    """The keys of a condition but for the operators."""

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
    lifecycle: str | None = None
    """The profile is in this lifecycle: in any stage of it, or in one of `stage`. It was when stages were kept last."""
    stage: Stages | None = None
    """The stage of the lifecycle, or a list of stages. `unassigned`: in none of those declared; `completed`: it has
    completed the lifecycle."""
    property: str | None = None
    """The property that is asked about, with one operator beside it. Of several values one has to satisfy it."""
    event: str | None = None
    """The profile has events of this type: `at_least`, `at_most`, `exactly` so many, or `never`; once if none is given.
    They count within `in_last_days`, `in_last_hours`, `after` and `before`."""
    exactly: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """So many events, no more and no fewer."""
    never: Literal[True] | None = None
    """No such event."""
    days: Days | None = None
    """How `in_last_days` counts beside `event`. `calendar`, the default: an event leaves at midnight in UTC; `exact`:
    days of 24 hours."""
    where: Annotated["Condition | None", Field()] = None
    """The event, the item or the group meets this condition on its properties."""
    then: Then | None = None
    """Only events after which the profile has another one."""
    items: str | None = None
    """Inside `where` of an event: its list of items, of which one has to satisfy `where`, or the operator of
    `property`."""
    group: str | None = None
    """The property that holds groups, of which one has to satisfy `where`, or the operator of `property`."""


def _key(operator: Operator, is_opposite: bool) -> Any:  # noqa: ANN401 - a field of pydantic; a row of NAMES
    meaning = operator.meaning
    if is_opposite:
        denied = f"The opposite of `{operator.name}`; true where there is no value."
        meaning = "There is a value." if operator.denied else denied
    return operator.wants.type | None, Field(None, description=meaning)


_Keys = create_model("_Keys", __base__=_Kinds, **{name: _key(*row) for name, row in NAMES.items()})


class Condition(_Keys):
    """A condition: `all`, `any` or `not` of others, or a question about a property, a segment or consent."""

    @model_validator(mode="before")
    @classmethod
    def _has_keys(cls, found: object) -> object:
        known = isinstance(found, dict | Condition)
        return found if known else refuse(found, f"a condition: one of {', '.join(KINDS)}")

    @model_validator(mode="after")
    def _check(self) -> "Condition":
        kinds = [kind for kind in KINDS if getattr(self, "not_" if kind == "not" else kind) is not None]
        if len(kinds) != 1 and kinds not in (["property", "items"], ["property", "group"]):
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"found {found}; a condition is exactly one of {', '.join(KINDS)}")
        questions = self.questions()
        if len(questions) != (self.property is not None):
            found = ", ".join(question.name for question in questions) or "none"
            raise ValueError(f"found {found}; a property is asked with exactly one operator: {', '.join(NAMES)}")
        if (self.objective is None) != (self.consent is None):
            raise ValueError("objective and consent belong together, as in `objective: news, consent: refused`")
        if (self.items or self.group) and (self.property is None) == (self.where is None):
            raise ValueError(f"{kinds[-1]} needs either `where`, or `property` and an operator")
        self._check_companions()
        if self.event:
            self._check_event()
        elif self.where and not (self.items or self.group):
            raise ValueError("found where; it stands beside event, items or group")
        return self

    def _check_companions(self) -> None:
        for kind, names in _BESIDE.items():
            lost = [name for name in names if getattr(self, name) is not None]
            if lost and getattr(self, kind) is None:
                raise ValueError(f"found {', '.join(lost)} without `{kind}`")

    def _check_event(self) -> None:
        counts = {name: getattr(self, name) for name in ("at_least", "at_most", "exactly", "never")}
        given = {name: count for name, count in counts.items() if count is not None}
        if len(given) > 1 and set(given) != {"at_least", "at_most"}:
            raise ValueError(f"found {' and '.join(given)}; needed is one of them, or at_least and at_most")
        for name, least in (("at_least", 1), ("at_most", 0)):
            if name in given and (isinstance(given[name], bool) or not isinstance(given[name], int)):
                refuse(given[name], f"a whole number, since {name} beside event says how often")
            if name in given and given[name] < least:
                raise ValueError(f"found {name}: {given[name]}; needed is {least} or more")
        if self.how_often[1] is not None and self.how_often[0] > self.how_often[1]:
            raise ValueError(f"found at_least {given['at_least']} and at_most {given['at_most']}; nothing is both")
        if problem := self.window.contradiction():
            raise ValueError(problem)

    @cached_property
    def how_often(self) -> tuple[int, int | None]:
        """How many events the profile has, at least and at most; None: any number."""
        if self.never:
            return 0, 0
        if self.exactly is not None:
            return self.exactly, self.exactly
        at_least, at_most = getattr(self, "at_least", None), getattr(self, "at_most", None)
        return (at_least or (0 if at_most is not None else 1)), at_most

    @cached_property
    def window(self) -> EventWindow:
        """When the events happened."""
        return EventWindow.model_construct(**{name: getattr(self, name) for name in EventWindow.model_fields})

    def questions(self) -> tuple[Question, ...]:
        """Return what is asked of the property: one question, if the condition is about one."""
        own = (name for name in NAMES if not (self.event and name in _SHARED))
        declared = ((name, NAMES[name], getattr(self, name)) for name in own)
        return tuple(Question(name, *row, wanted) for name, row, wanted in declared if wanted is not None)

    @cached_property
    def parts(self) -> tuple["Condition", ...]:
        """The conditions inside."""
        return self.all or self.any or ((self.not_,) if self.not_ else ())

    @cached_property
    def part(self) -> "Condition":
        """Of items and groups, the condition that one of them has to satisfy."""
        return self.where or self.model_copy(update={"items": None, "group": None})

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
