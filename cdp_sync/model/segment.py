"""Segments: groups of profiles, defined by nested conditions."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.operators import NAMES, Operator, not_empty, refuse
from cdp_sync.model.privacy import ConsentState

Parts = Annotated[tuple["Condition", ...], BeforeValidator(not_empty)]

KINDS = ("all", "any", "not", "property", "segment", "objective")
"""What a condition can be; exactly one of them."""


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
    property: str | None = None
    """The property that is asked about, with one operator beside it. Of several values one has to satisfy it."""


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
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"found {found}; a condition is exactly one of {', '.join(KINDS)}")
        questions = self.questions()
        if len(questions) != (self.property is not None):
            found = ", ".join(question.name for question in questions) or "none"
            raise ValueError(f"found {found}; a property is asked with exactly one operator: {', '.join(NAMES)}")
        if (self.objective is None) != (self.consent is None):
            raise ValueError("objective and consent belong together, as in `objective: news, consent: refused`")
        return self

    def questions(self) -> tuple[Question, ...]:
        """Return what is asked of the property: one question, if the condition is about one."""
        declared = ((name, row, getattr(self, name)) for name, row in NAMES.items())
        return tuple(Question(name, *row, wanted) for name, row, wanted in declared if wanted is not None)

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
