"""What an author declares of Bluecore's daily files of e-mail events and unsubscribes, as goals that export events."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Given
from pydantic import model_validator

from cdp_sync.connectors.bluecore import fields
from cdp_sync.connectors.bluecore.fields import Field, VendorEvent
from cdp_sync.model.declared import Declared
from cdp_sync.model.event_export import EventExportGoal, EventFile
from cdp_sync.model.format import ExportFormat
from cdp_sync.model.profile import Profiles
from cdp_sync.model.suggestion import allowed

WEEK = 7
"""Days for which the vendor keeps files after they were generated."""

_OF_COLUMN = re.compile(r"map\[(\d+)\]\.\w+")
_OF_TYPE = re.compile(r"events\[\d+\]")


class EventSource(Declared):
    """Events of a declared type that are one event of the vendor: those with a value of a property."""

    type: str
    """The type of the events."""
    property: str
    """A property of them."""
    equals: str
    """Its value."""


class EventsGoal(EventExportGoal):
    """A file of events with the vendor's columns. Problems are named as the author declares them."""

    events_key: ClassVar[str] = "events"
    """The key that names the types."""

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile and its events, each as `path: what was found; what is allowed`."""
        for problem in super().problems(profiles):
            yield _OF_TYPE.sub(self.events_key, _OF_COLUMN.sub(self._place, problem, count=1), count=1)

    def _place(self, match: re.Match[str]) -> str:
        column = self.map[int(match[1])]
        if column.event_type:
            return self.events_key
        return "email" if column.property else f"properties.{column.field}"


class UnsubscribesGoal(EventsGoal):
    """The file of unsubscribes."""

    events_key: ClassVar[str] = "event"


class DailyEvents(Declared):
    """What both daily files have in common: each whole day in UTC, and again when late events came."""

    kind: ClassVar[type[EventsGoal]] = EventsGoal
    """Of the goal that writes it."""

    enabled: bool = True
    """Off: the connection's runs leave it out."""
    directory: Annotated[str, Given(min_length=1)]
    """Directory on the server."""
    email: str = "email"
    """The property of profiles with the address. Events of profiles without one are not delivered."""
    properties: Mapping[str, str] = {}
    """By field of the file, the property of events that it holds, where it differs from the ready-made types."""
    since: date | None = None
    """Only events from this day on, in UTC."""
    keep_days: Annotated[int, Given(ge=1, le=36_500)] | None = WEEK
    """Remove the files so many days after they were delivered."""

    def made(
        self, name: str, namespace: str, every: Iterable[Field], sources: Mapping[VendorEvent, str | EventSource],
        **more: Any,  # noqa: ANN401 - further attributes of the goal
    ) -> EventsGoal:  # fmt: skip
        """Return the goal that writes these fields, in order, of these events."""
        names = names_of(sources)
        columns = [self._column(field, namespace, sources) for field in every]
        goal = {"name": name, "events": list(names), "map": columns, "window": "day", "format": _FORM}
        own = {key: getattr(self, key) for key in ("enabled", "directory", "since", "keep_days")}
        return self.kind.model_validate({**goal, **own, **more})

    def _column(self, field: Field, namespace: str, sources: Mapping[VendorEvent, str | EventSource]) -> dict[str, Any]:
        of_connection: dict[str, dict[str, Any]] = {
            "namespace": {"text": namespace},
            "email": {"property": self.email, "required": True},
            "event": {"event_type": names_of(sources)},
        }
        holds = field.holds or of_connection.get(field.name)
        if holds is None:
            of = {event: sources[event] for event in field.of or sources if event in sources}
            name = self.properties.get(field.name, field.property)
            types, named = names_of(of), of if field.of else {}
            may_lack = field.name not in self.properties
            holds = {"event": name, "types": list(types), "named": list(named), "optional": may_lack}
            holds = holds if name and types else {"text": ""}
        return {"field": field.name, **holds}

    def verify_properties(self, every: Iterable[Field]) -> None:
        """Verify that `properties` names fields that hold properties.

        Raises:
            ValueError: It names another one.
        """
        names = [field.name for field in every if not field.holds and field.name not in _FIXED]
        for name in self.properties:
            if name not in names:
                raise ValueError(f"properties: {name!r} is no field with a property; {allowed(name, names)}")


_FORM = ExportFormat(multi_value="|")
"""Comma, UTC, and several audiences separated by pipes."""
_FIXED = ("namespace", "email", "event")


class EspEvents(DailyEvents):
    """The daily file of e-mail events."""

    generation: Literal[1, 2] = 2
    """The fields of the vendor's first page, or of the later one."""
    optional: tuple[
        Literal["campaign_run_id", "campaign_run_time", "variant_id", "tracking_params", "is_bot_click"], ...
    ] = ()
    """Further fields of generation 2."""
    events: Annotated[Mapping[VendorEvent, str | EventSource], Given(min_length=1)]
    """By event of the vendor, the declared type of its events, or those of a type with a value of a property."""
    split: Literal["none", "by_type"] = "none"
    """One file a day, or one for each type of events."""
    file: EventFile = EventFile(name="esp_events.csv")
    """How files are called and packed."""

    @model_validator(mode="after")
    def _check(self) -> "EspEvents":
        names_of(self.events)
        if self.optional and self.generation == 1:
            raise ValueError("optional: generation 1 has these fields; leave it out, or declare generation: 2")
        self.verify_properties(self.fields)
        return self

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the file, in order."""
        if self.generation == 1:
            return fields.GENERATION_1
        return (*fields.GENERATION_2, *(field for field in fields.OPTIONAL if field.name in self.optional))

    def goal(self, namespace: str) -> EventsGoal:
        """Return the goal that writes the file."""
        return self.made("esp_events", namespace, self.fields, self.events, split=self.split, file=self.file)


class Unsubscribes(DailyEvents):
    """The daily file of the people who clicked to unsubscribe."""

    kind: ClassVar[type[EventsGoal]] = UnsubscribesGoal

    event: str = "email_unsubscribed"
    """The type of the events."""
    file: EventFile = EventFile(name="unsubscribes.csv")
    """How files are called and packed."""

    @model_validator(mode="after")
    def _check(self) -> "Unsubscribes":
        self.verify_properties(fields.UNSUBSCRIBES)
        return self

    def goal(self, namespace: str) -> EventsGoal:
        """Return the goal that writes the file."""
        return self.made("unsubscribes", namespace, fields.UNSUBSCRIBES, {"Unsubscribe": self.event}, file=self.file)


def names_of(sources: Mapping[VendorEvent, str | EventSource]) -> dict[str, Any]:
    """Return the names of events by type, or by type and the value of a property.

    Raises:
        ValueError: Two events of the vendor are the same ones.
    """
    names: dict[str, Any] = {}
    for event, source in sources.items():
        if isinstance(source, str):
            if source in names:
                raise ValueError(f"events: {event} and another event are both {source}; needed is one, or a property")
            names[source] = event
            continue
        found = names.setdefault(source.type, {"property": source.property, "names": {}})
        if isinstance(found, str) or found["property"] != source.property or source.equals in found["names"]:
            raise ValueError(
                f"events: {event} and another event are both {source.type}; needed are values of one property"
            )
        found["names"][source.equals] = event
    return names
