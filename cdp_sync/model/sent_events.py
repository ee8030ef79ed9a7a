"""Events that go to a platform with the profiles of an export goal: what is declared, and how one is written."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.event import EventProperty, EventType
from cdp_sync.model.suggestion import allowed


class SentProperty(Declared):
    """A field that an event has there, and the property that it holds."""

    field: Annotated[str, Field(min_length=1)]
    """The field at the platform."""
    property: str
    """Property of the event."""


@dataclass(frozen=True)
class RenderedEvent:
    """How an event is written, as SQL over the values of its properties, `id`, `key`, `event_id` and `happened_at`.

    `id` and `key` say which user it is of: the identifier and the platform's name of it.
    """

    body: str
    """The expression for the JSON that is sent."""
    problem: str = "null"
    """The expression for why the event cannot be sent; null where it can."""


class SentEvents(Declared):
    """Events of one type, of the profiles that the goal delivers."""

    type: str
    """Type of the events."""
    after: date | datetime | None = None
    """Only events that happened at this time or after it; a day begins at midnight UTC. Absent: all of them."""
    before: date | datetime | None = None
    """Only events that happened before this time; a day begins at midnight UTC. Absent: also the latest."""
    in_last_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Only events of the last so many days: they leave at the midnight UTC after that."""
    map: tuple[SentProperty, ...] | None = None
    """The fields, each with the property that it holds. Absent: every property under its own name."""

    @model_validator(mode="after")
    def _check(self) -> "SentEvents":
        for name, given in (("after", self.after), ("before", self.before)):
            if given and self.in_last_days:
                raise ValueError(f"{name} and in_last_days are both given; needed is one of them")
        if self.after and self.before and _moment(self.after) >= _moment(self.before):
            raise ValueError(f"before: found {self.before}, which is not later than after: {self.after}")
        names = [column.field for column in self.map or ()]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"map: more than one field is called {', '.join(repeated)}")
        return self

    @property
    @abstractmethod
    def target(self) -> str:
        """What they are at the platform; a type may have more than one target."""

    def since(self, now: datetime) -> datetime | None:
        """Return the first moment of the period, at a moment; None where there is no period."""
        if self.in_last_days:
            return datetime.combine(now.astimezone(UTC).date() - timedelta(days=self.in_last_days), time(), UTC)
        return _moment(self.after) if self.after else None

    @property
    def until(self) -> datetime | None:
        """The first moment after the period; None where it has no end."""
        return _moment(self.before) if self.before else None

    def sent(self, event: EventType) -> Mapping[str, EventProperty]:
        """Return the fields with the properties that they hold, in order."""
        if self.map is None:
            return dict(event.by_name)
        return {column.field: event.by_name[column.property] for column in self.map}

    def problems(self, types: Mapping[str, EventType]) -> Iterator[str]:
        """Yield what does not fit the declared type, each as `path: what was found; what is allowed`."""
        if (event := types.get(self.type)) is None:
            yield f".type: {self.type!r} is unknown; {allowed(self.type, types)}"
            return
        for index, column in enumerate(self.map or ()):
            if (name := column.property) not in event.by_name:
                yield f".map[{index}].property: {name!r} is unknown; {allowed(name, event.by_name)}"

    @abstractmethod
    def render(self, event: EventType, values: Mapping[str, str]) -> RenderedEvent:
        """Return how an event is written.

        Args:
            event: The declared type.
            values: What the engine's statement calls the value of each of its properties.
        """


def _moment(given: date | datetime) -> datetime:
    """Return a time with an offset: in UTC where none is given, and of a day its midnight."""
    if isinstance(given, datetime):
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    return datetime.combine(given, time(), UTC)
