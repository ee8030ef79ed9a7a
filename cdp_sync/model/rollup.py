"""Rollups: values that are worked out of a profile's events whenever they are read. They are never stored."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cdp_sync.model.declared import NAME_PATTERN
from cdp_sync.model.event import EventProperty, EventType
from cdp_sync.model.property import Property
from cdp_sync.model.segment import Condition
from cdp_sync.model.suggestion import allowed
from cdp_sync.model.window import EventWindow

AGGREGATES = ("count", "sum", "minimum", "maximum", "average", "first", "last", "most_frequent", "all_values")
"""What a rollup can be; exactly one of them."""

_NUMBERS = ("number", "decimal")
_TAKES = {
    "sum": _NUMBERS,
    "average": _NUMBERS,
    "minimum": (*_NUMBERS, "date", "datetime"),
    "maximum": (*_NUMBERS, "date", "datetime"),
}
"""The types of properties that an aggregate takes; all others take any."""
_AVERAGE_SCALE = 4
"""Digits of an average after the point, if the property has no more."""


class Rollup(EventWindow):
    """A value made of a profile's events of one type: of those in its window that meet `where`."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; it is read like a property of this name."""
    title: str | None = None
    """What people call it."""
    event: str
    """Type of the events."""
    count: Literal[True] | None = None
    """How many events there are; 0 where there are none."""
    sum: str | None = None
    """The sum of this property. All aggregates also take `list.property`, of the items in a list."""
    minimum: str | None = None
    """The smallest value."""
    maximum: str | None = None
    """The largest value."""
    average: str | None = None
    """The average, rounded to four digits after the point, or to as many as the property has."""
    first: str | None = None
    """The value in the earliest event, or of its first item; empty where that has none."""
    last: str | None = None
    """The value in the latest event, or of its last item; empty where that has none."""
    most_frequent: str | None = None
    """The value that occurs most often; of several of them the smallest."""
    all_values: str | None = None
    """Every value once, in ascending order."""
    where: Condition | None = None
    """Only events that meet this condition on their properties."""

    @model_validator(mode="after")
    def _check(self) -> "Rollup":
        found = [name for name in AGGREGATES if getattr(self, name) is not None]
        if len(found) != 1:
            raise ValueError(f"found {' and '.join(found) or 'none of them'}; needed is one of {', '.join(AGGREGATES)}")
        return self

    @property
    def aggregate(self) -> str:
        """What it is: one of `AGGREGATES`."""
        return next(name for name in AGGREGATES if getattr(self, name) is not None)

    @property
    def path(self) -> tuple[str, ...]:
        """Names of the event's property that it is made of, and of the item's where that is a list; none of a count."""
        return () if self.count else tuple(str(getattr(self, self.aggregate)).split(".", 1))

    def source(self, event: EventType) -> Property | None:
        """Return the property that it is made of, of the event or of its items; None where there is no such property.

        Of a nested list itself it is the list.
        """
        name, *item = self.path
        found: EventProperty | None = event.by_name.get(name)
        return found.item.get(item[0]) if found and item else found

    def prop(self, event: EventType) -> Property | None:
        """Return the property that it is read as; None where it does not fit the type of event."""
        if self.count:
            return Property(name=self.name, type="number", title=self.title)
        source = self.source(event)
        if source is None or list(self.problems(event)):
            return None
        of_values = {
            "type": source.type,
            "group_type": source.group_type,
            "precision": source.precision,
            "scale": source.scale,
        }
        if self.aggregate == "average":
            of_values |= {"type": "decimal", "scale": max(_AVERAGE_SCALE, source.scale)}
        if self.aggregate in ("sum", "average"):
            of_values |= {"precision": 38}
        keeps_all = self.aggregate in ("first", "last") and source.multiple and len(self.path) == 1
        multiple = keeps_all or self.aggregate == "all_values"
        return Property.model_validate({"name": self.name, "title": self.title, "multiple": multiple, **of_values})

    def problems(self, event: EventType) -> Iterator[str]:
        """Yield what does not fit the type of event, each as `key: what was found; what is allowed`."""
        if self.count:
            return
        name, *item = self.path
        found = event.by_name.get(name)
        if found is None:
            yield f"{self.aggregate}: {name!r} is unknown; {allowed(name, event.by_name)}"
        elif not item and found.items:
            needed = ", ".join(f"{name}.{each}" for each in found.item)
            yield f"{self.aggregate}: {name!r} is a list of items; needed is a property of them: {needed}"
        elif item and not found.items:
            yield f"{self.aggregate}: {name!r} is no list of items; needed is {name!r} alone, or a list"
        elif item and item[0] not in found.item:
            yield f"{self.aggregate}: {item[0]!r} is unknown; {allowed(item[0], found.item)}"
        elif (source := found.item[item[0]] if item else found).type not in _TAKES.get(self.aggregate, (source.type,)):
            yield f"{self.aggregate}: {source.name} is {source.type}; needed is {' or '.join(_TAKES[self.aggregate])}"


def rolled_up(rollups: Mapping[str, Rollup], events: Mapping[str, EventType]) -> dict[str, Property]:
    """Return the properties that rollups are read as, by name; without those that do not fit their events."""
    found = ((rollup, events.get(rollup.event)) for rollup in rollups.values())
    props = (rollup.prop(event) for rollup, event in found if event)
    return {prop.name: prop for prop in props if prop}
