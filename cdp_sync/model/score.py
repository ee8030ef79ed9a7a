"""Scores: where a profile stands among all others by its events, as a percentile from 0 to 100."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.event import EventType
from cdp_sync.model.operators import not_empty
from cdp_sync.model.property import Property
from cdp_sync.model.segment import Condition
from cdp_sync.model.suggestion import allowed

KINDS = ("rate", "share", "expected_value")
"""What a score can be; exactly one of them."""

_NUMBERS = ("number", "decimal")


def _listed(found: Any) -> Any:  # noqa: ANN401 - whatever is declared
    return [found] if isinstance(found, str) else not_empty(found)


Types = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
Days = Annotated[int, Field(ge=1, le=3650)]


class Rate(Declared):
    """How many messages a profile responds to."""

    of: Types
    """Type of the events that are responses, or a list of types."""
    among: Types
    """Type of the events that are messages, or a list of types."""
    once_per: str | None = None
    """A property of the responses, such as `message_id`: several responses with one value count as one, the first."""


class Share(Declared):
    """Which part of a profile's events meets a condition."""

    of: str
    """Type of the events."""
    where: Condition
    """The condition on their properties."""


class Score(Declared):
    """A score of profiles: exactly one of `rate`, `share` and `expected_value`."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; the percentile is read like a property of this name."""
    title: str | None = None
    """What people call it."""
    rate: Annotated[Rate | None, Field(examples=[{"of": "email_opened", "among": "email_delivered"}])] = None
    """How likely a profile responds to a message."""
    share: Share | None = None
    """How likely an event of a profile meets a condition."""
    expected_value: Annotated[str | None, Field(examples=["order.total_revenue"])] = None
    """The sum of a property of events, `TYPE.PROPERTY`, that the coming days are expected to bring."""
    half_life_days: Days = 90
    """Of `rate` and `share`: an event counts half after so many days."""
    horizon_days: Days = 90
    """The coming days that an expected value is about; of every score, the days that its hold-out compares it with."""

    @field_validator("expected_value")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None and not all(value.partition(".")):
            raise ValueError(f"found {value!r}; needed is TYPE.PROPERTY, such as order.total_revenue")
        return value

    @model_validator(mode="after")
    def _check(self) -> "Score":
        found = [name for name in KINDS if getattr(self, name) is not None]
        if len(found) != 1:
            raise ValueError(f"found {' and '.join(found) or 'none of them'}; needed is one of {', '.join(KINDS)}")
        if self.expected_value and "half_life_days" in self.model_fields_set:
            raise ValueError("half_life_days: goes with rate and share; expected_value weighs all events alike")
        return self

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name

    @property
    def prop(self) -> Property:
        """The property that its percentile is read as."""
        return Property(name=self.name, type="number", title=self.title)

    @property
    def amount(self) -> tuple[str, str]:
        """The type of events and the property that an expected value is made of."""
        event, _, name = str(self.expected_value).partition(".")
        return event, name

    @property
    def events(self) -> tuple[str, ...]:
        """The types of events that it is made of."""
        if self.rate:
            return tuple(dict.fromkeys((*self.rate.of, *self.rate.among)))
        return (self.share.of,) if self.share else self.amount[:1]

    @property
    def words(self) -> str:
        """What it is, for people."""
        fading = f"an event counts half after {self.half_life_days:,} days"
        if self.rate:
            return f"Responses ({', '.join(self.rate.of)}) to messages ({', '.join(self.rate.among)}); {fading}."
        if self.share:
            return f"The share of the events {self.share.of} that meet a condition; {fading}."
        return f"The expected sum of {self.expected_value} in the next {self.horizon_days:,} days."

    def problems(self, events: Mapping[str, EventType]) -> Iterator[str]:
        """Yield which types and properties of events are unknown or do not fit; the condition of a share apart."""
        keys = {"rate.of": self.rate.of, "rate.among": self.rate.among} if self.rate else {}
        for key, names in keys.items():
            yield from (f"{key}: {name!r} is unknown; {allowed(name, events)}" for name in names if name not in events)
        if self.rate and self.rate.once_per:
            yield from self._once_problems(self.rate, events)
        if self.expected_value:
            yield from self._amount_problems(events)

    @staticmethod
    def _once_problems(rate: Rate, events: Mapping[str, EventType]) -> Iterator[str]:
        for event in (events[name] for name in rate.of if name in events):
            plain = {prop.name: prop for prop in event.properties if not prop.items and not prop.multiple}
            if rate.once_per not in plain:
                found = f"{event.name!r} has no property {rate.once_per!r} with one value"
                yield f"rate.once_per: {found}; {allowed(str(rate.once_per), plain)}"

    def _amount_problems(self, events: Mapping[str, EventType]) -> Iterator[str]:
        event, name = self.amount
        if event not in events:
            yield f"expected_value: {event!r} is unknown; {allowed(event, events)}"
            return
        fitting = {
            prop.name: prop
            for prop in events[event].properties
            if prop.type in _NUMBERS and not prop.items and not prop.multiple
        }
        if name not in fitting:
            found = f"{event!r} has no property {name!r} that is one number or decimal"
            yield f"expected_value: {found}; {allowed(name, fitting)}"
