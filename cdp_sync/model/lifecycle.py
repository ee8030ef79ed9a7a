"""Lifecycles: ordered stages of a customer's way, each with the condition of the profiles in it.

A stage is a function of a profile and a moment. A profile is in a lifecycle while `enter` holds and `complete` does
not; with `reenter`, also while both `complete` and `reenter` hold. In there it is in the last stage whose condition
holds, or `unassigned`. The rules are BlueConic's, articles 360050098154, 247909 and 360058342793.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated

from pydantic import Field, PrivateAttr, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.event import EventProperty, EventType
from cdp_sync.model.segment import Condition

UNASSIGNED = "unassigned"
"""The stage of a profile in a lifecycle that meets the condition of no stage."""

COMPLETED = "completed"
"""What stands in place of a stage for a profile that has completed a lifecycle."""

STAGE_CHANGED = EventType(
    name="stage_changed",
    title="Stage changed",
    properties=tuple(EventProperty(name=name) for name in ("lifecycle", "from_stage", "to_stage")),
)
"""The type of the events that note changes of stages. `from_stage` is empty for a profile that enters a lifecycle,
`to_stage` for one that leaves it."""

_SYNC = "_sync"

_STAGES = [
    {"name": "fresh", "when": {"property": "order_total", "is_empty": True}},
    {"name": "buyer", "title": "Has bought", "when": {"property": "order_total", "has_value": True}},
]


class Stage(Declared):
    """One stage of a lifecycle."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; unique in the lifecycle."""
    title: str | None = None
    """What people call it."""
    when: Condition
    """Which profiles in the lifecycle are in this stage, unless they are in a later one."""

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name


class Lifecycle(Declared):
    """A lifecycle: who is in it, and its stages in order. The last stage whose condition holds is a profile's stage."""

    name: Annotated[str, Field(pattern=NAME_PATTERN, examples=["welcome"])]
    """Identifier; the last part of its asset key."""
    title: str | None = None
    """What people call it."""
    enabled: bool = True
    """Whether stages are kept. While it is off they stay as they are, and its export goals export nobody."""
    enter: Annotated[Condition, Field(examples=[{"property": "email", "has_value": True}])]
    """Which profiles are in the lifecycle."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=10, examples=[_STAGES])]
    """The stages in order, ten at most; profiles may skip some."""
    complete: Annotated[Condition | None, Field(examples=[{"property": "order_total", "at_least": 1000}])] = None
    """Which of its profiles have completed it: they are in no stage."""
    reenter: Annotated[Condition | None, Field(examples=[{"segment": "big_spenders"}])] = None
    """Which of those that have completed it are in it nevertheless."""
    _counted: tuple[tuple[str, str], ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _check(self) -> "Lifecycle":
        if self.name.endswith(_SYNC):
            raise ValueError(f"name: found {self.name!r}; jobs of connections end with {_SYNC}; choose another name")
        names = self.stage_names
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stages: declared more than once: {', '.join(repeated)}")
        for index, name in enumerate(names):
            if name in (UNASSIGNED, COMPLETED):
                raise ValueError(f"stages[{index}].name: {name!r} is a stage of every lifecycle; choose another name")
        if self.reenter and not self.complete:
            raise ValueError("reenter: it is about profiles that have completed the lifecycle; `complete` is missing")
        return self

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def every_stage(self) -> tuple[str, ...]:
        """What a profile in the lifecycle can be in: `unassigned`, and the stages in order."""
        return (UNASSIGNED, *self.stage_names)

    @property
    def counted(self) -> tuple[tuple[str, str], ...]:
        """What export goals of the project count as touches: stages, each with a type of events. See `counting`."""
        return self._counted

    def counting(self, counted: Iterable[tuple[str, str]]) -> "Lifecycle":
        """Return this lifecycle with the stages in which events of a type count as touches."""
        made = self.model_copy()
        made._counted = tuple(sorted(set(counted)))  # noqa: SLF001 - its own class
        return made

    def shown(self, stage: str, *, titles: bool = False) -> str:
        """Return what exports write of a profile that is in a stage: `lifecycle: stage`, by names or by titles."""
        labels = {each.name: each.label for each in self.stages} if titles else {}
        return f"{self.label if titles else self.name}: {labels.get(stage, stage)}"

    @cached_property
    def conditions(self) -> tuple[tuple[str, Condition], ...]:
        """Its conditions, each with its place in the declaration."""
        stages = ((f"stages[{index}].when", stage.when) for index, stage in enumerate(self.stages))
        every = (("enter", self.enter), *stages, ("complete", self.complete), ("reenter", self.reenter))
        return tuple((place, condition) for place, condition in every if condition)

    def walk(self) -> Iterator[tuple[str, Condition]]:
        """Yield its conditions and all inside, each with its place in the declaration."""
        for place, condition in self.conditions:
            yield from condition.walk(place)
