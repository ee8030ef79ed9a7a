"""Export goals of events: which types and which of their events, as which rows, in which files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.event import EventProperty, EventType, ItemProperty
from cdp_sync.model.export import ExportFile, ReplacedFile
from cdp_sync.model.format import ExportFormat
from cdp_sync.model.goal import Goal
from cdp_sync.model.profile import Profiles
from cdp_sync.model.property import Property
from cdp_sync.model.suggestion import allowed

GOAL_AND_TIMESTAMP = "goal_and_timestamp"

EVENT_COLUMN_KINDS = (
    "property", "event", "item", "event_type", "happened_at", "written_at", "event_id", "unique_key", "profile_id",
    "text",
)  # fmt: skip
"""What a column can hold; exactly one of them."""


class EventFile(ExportFile):
    """How files of events are called and packed. Types and days follow the name, where files are split by them."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = GOAL_AND_TIMESTAMP
    """`goal_and_timestamp`: a new file every time. Any other name: that file, with what it is split by."""
    timestamp: bool = False
    """Put the time of the run, YYYYMMDDHHMMSS in UTC, after the name; as it always is with `window: since_last`."""


class NamesByValue(Declared):
    """The names of events of one type that differ by a property."""

    property: str
    """The property of the event."""
    names: Annotated[Mapping[str, str], Field(min_length=1)]
    """The name of the event by the value of this property."""


class EventColumn(Declared):
    """A column of the file, and what it holds: exactly one of the keys up to `text`."""

    field: Annotated[str, Field(min_length=1)]
    """Name of the column."""
    property: str | None = None
    """The value of this property of the event's profile."""
    event: str | None = None
    """The value of this property of the event; empty where its type has none. A nested list is a JSON array."""
    item: str | None = None
    """The value of this property of the item, with `rows: items`."""
    event_type: Literal[True] | Mapping[str, str | NamesByValue] | None = None
    """The name of the event's type; or, by type, another name, or names by the value of a property."""
    happened_at: Literal[True] | None = None
    """When it happened."""
    written_at: Literal[True] | None = None
    """When the event was last changed in the warehouse."""
    event_id: Literal[True] | None = None
    """The id of the event, which is unique in its type."""
    unique_key: Literal[True] | None = None
    """A digest of type and id: the same in every delivery of an event, and different for every event."""
    profile_id: Literal[True] | None = None
    """The identifier of the event's profile."""
    text: str | None = None
    """The same text for every event."""
    types: tuple[str, ...] = ()
    """With `event`: only of events of these types; empty in all others. Absent: of every type that has the property."""
    named: tuple[str, ...] = ()
    """With `event`: only of events with these names, which a column with `event_type` gives; empty in all others."""
    optional: bool = False
    """With `event`: the column is empty where no type has the property; otherwise that is a mistake."""
    required: bool = False
    """An event without a value of it is not delivered."""

    @model_validator(mode="after")
    def _check(self) -> "EventColumn":
        kinds = [kind for kind in EVENT_COLUMN_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"found {found}; a column holds exactly one of {', '.join(EVENT_COLUMN_KINDS)}")
        if (self.types or self.named or self.optional) and not self.event:
            raise ValueError("types, named and optional: they go with `event`, a property of the event")
        return self

    def holders(self, types: Iterable[EventType]) -> list[EventProperty]:
        """Return the property of the event that it holds, of each of the types that have it."""
        of = (event for event in types if not self.types or event.name in self.types)
        return [event.by_name[self.event] for event in of if self.event and self.event in event.by_name]


class EventExportGoal(Goal):
    """Puts events on the server, as delimited files."""

    memory_limit: ClassVar[str | None] = None
    """What DuckDB may keep in memory during a run; the warehouse's own limit unless given."""

    events: Annotated[tuple[str, ...], Field(min_length=1)]
    """Types of the events."""
    segment: str | None = None
    """Only events of this segment's profiles; absent: of all profiles."""
    window: Literal["since_last", "day", "all"] = "since_last"
    """`since_last`: new and changed events; `day`: each whole day in UTC; `all`: everything, when it differs."""
    since: date | None = None
    """Only events from this day on, in UTC."""
    split: Literal["none", "by_type", "by_day"] = "none"
    """A file for each type, or for each day in UTC."""
    rows: Literal["events", "items"] = "events"
    """A row is an event, or an item of its nested list `items`."""
    items: str | None = None
    """The nested list whose items are rows, with `rows: items`."""
    directory: Annotated[str, Field(min_length=1)] = "."
    """Directory on the server."""
    file: EventFile = EventFile()
    """How files are called and packed."""
    format: ExportFormat = ExportFormat()
    """How files are written."""
    map: Annotated[tuple[EventColumn, ...], Field(min_length=1)]
    """The columns, in order."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Remove the goal's files from the server so many days after their last delivery; absent: they stay."""
    write_empty: bool = False
    """Also write a file when there are no events to write; of each day that has none, with `window: day`."""

    @model_validator(mode="after")
    def _check(self) -> "EventExportGoal":
        for what, names in (("events", self.events), ("map", [column.field for column in self.map])):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what}: more than one is called {', '.join(repeated)}")
        if self.processors:
            raise ValueError("processors: rows of events cannot be processed; leave it out")
        if (self.rows == "items") != (self.items is not None):
            raise ValueError("`rows: items` and `items`, the nested list, need each other")
        if self.rows == "events" and any(column.item for column in self.map):
            raise ValueError("map: a column holds a property of an item; needed is `rows: items`")
        if self.write_empty and (self.window == "all" or self.split == "by_type"):
            raise ValueError("write_empty: needed is another window than `all`, and another split than `by_type`")
        if self.keep_days and not (self.by_day or self.has_timestamp):
            raise ValueError("keep_days: each run replaces the file; needed is a day or a time in the files' names")
        return self

    @property
    def event_names(self) -> Mapping[str, str | NamesByValue]:
        """The names of its events by type, as the first column that gives names has them; empty: none does."""
        return next((column.event_type for column in self.map if isinstance(column.event_type, Mapping)), {})

    @property
    def by_type(self) -> bool:
        """Whether each type has a file of its own."""
        return self.split == "by_type"

    @property
    def by_day(self) -> bool:
        """Whether each day has a file of its own."""
        return self.split == "by_day" or self.window == "day"

    @property
    def has_timestamp(self) -> bool:
        """Whether the name of a file has the time of its run."""
        is_new = self.window == "since_last" or (self.window == "all" and self.file.name == GOAL_AND_TIMESTAMP)
        return is_new or self.file.timestamp

    @property
    def replaced_files(self) -> tuple[ReplacedFile, ...]:
        """The files that every run replaces; none where names have the time of the run."""
        if self.has_timestamp or self.file.name == GOAL_AND_TIMESTAMP:
            return ()
        place = PurePosixPath(self.directory), self.file.name, self.file.compress
        return tuple(ReplacedFile(*place, name, self.by_day) for name in (self.events if self.by_type else ("",)))

    @property
    def destination(self) -> str:
        """Where events go, for people."""
        return f"file: `{self.file.name}` in `{self.directory}`"

    def types(self, profiles: Profiles) -> tuple[EventType, ...]:
        """Return the declared types of its events."""
        return tuple(profiles.event[name] for name in self.events)

    def event_property(self, column: EventColumn, profiles: Profiles) -> EventProperty:
        """Return the property of events that a column holds: of the first type that has it."""
        found = column.holders(self.types(profiles))
        return found[0] if found else EventProperty(name=str(column.event))

    def item_property(self, name: str, profiles: Profiles) -> ItemProperty:
        """Return a property of the items that are rows: of the first type that has it."""
        lists = (event.lists.get(self.items or "") for event in self.types(profiles))
        return next(each.item[name] for each in lists if each and name in each.item)

    @property
    def properties(self) -> tuple[str, ...]:
        """The exported properties of profiles, each once, in order."""
        return tuple(dict.fromkeys(column.property for column in self.map if column.property))

    def has_personal(self, profiles: Profiles) -> bool:
        """Return whether it exports personal properties of profiles."""
        return profiles.are_personal(self.properties)

    def read_segments(self, _profiles: Profiles) -> tuple[str, ...]:
        """Return the segments whose conditions it asks: its own."""
        return (self.segment,) if self.segment else ()

    def read_lifecycles(self, _profiles: Profiles) -> tuple[str, ...]:
        """Return the lifecycles whose stages its columns hold: none."""
        return ()

    def read_events(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the types of its events, and those that its columns read by rollups."""
        rollups = (profiles.rollup.get(name) for name in self.properties)
        return tuple(dict.fromkeys((*self.events, *(rollup.event for rollup in rollups if rollup))))

    def read_scores(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the scores that its columns read."""
        return tuple(name for name in self.properties if name in profiles.score)

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile and its events, each as `path: what was found; what is allowed`."""
        unknown = [(index, name) for index, name in enumerate(self.events) if name not in profiles.event]
        yield from (f"events[{index}]: {name!r} is unknown; {allowed(name, profiles.event)}" for index, name in unknown)
        if self.segment:
            yield from profiles.segment_problem("segment", self.segment)
        if unknown:
            return
        lists = {name for event in self.types(profiles) for name in event.lists}
        if self.items and self.items not in lists:
            yield f"items: {self.items!r} is no nested list of these events; {allowed(self.items, sorted(lists))}"
        for index, column in enumerate(self.map):
            yield from (f"map[{index}].{problem}" for problem in self._column_problems(column, profiles))

    def _column_problems(self, column: EventColumn, profiles: Profiles) -> Iterator[str]:
        if column.property:
            found = [profiles.readable[column.property]] if column.property in profiles.readable else []
            yield from _problems("property", column.property, found, list(profiles.readable), self.format)
        elif column.event:
            yield from _unknown("types", column.types, self.events)
            yield from _unnamed(column.named, self.event_names.values())
            types = [event for event in self.types(profiles) if not column.types or event.name in column.types]
            names = list(dict.fromkeys(name for event in types for name in event.by_name))
            held = column.holders(types)
            if types and (held or not column.optional):
                yield from _problems("event", column.event, held, names, self.format)
        elif column.item:
            lists = (event.lists.get(self.items or "") for event in self.types(profiles))
            items = [each for each in lists if each]
            found = [each.item[column.item] for each in items if column.item in each.item]
            names = list(dict.fromkeys(name for each in items for name in each.item))
            yield from _problems("item", column.item, found, names, self.format)
        elif isinstance(column.event_type, Mapping):
            yield from _unknown("event_type", column.event_type, self.events)
            for event in self.types(profiles):
                yield from _naming_problems(column.event_type.get(event.name), event)


def _unknown(key: str, names: Iterable[str], events: Sequence[str]) -> Iterator[str]:
    yield from (
        f"{key}: {name!r} is no type of the goal; {allowed(name, events)}" for name in names if name not in events
    )


def _unnamed(names: Iterable[str], namings: Iterable[str | NamesByValue]) -> Iterator[str]:
    """Yield which of these no column gives to events."""
    by_value = ([each] if isinstance(each, str) else each.names.values() for each in namings)
    known = [name for each in by_value for name in each]
    yield from (
        f"named: {name!r} is no name that `event_type` gives; {allowed(name, known)}"
        for name in names
        if name not in known
    )


def _naming_problems(naming: str | NamesByValue | None, event: EventType) -> Iterator[str]:
    """Yield what is wrong with the name of a type's events: it has to have one, by a text if by a value."""
    if naming is None:
        yield f"event_type: {event.name!r} has no name; needed is one for every type of the goal"
    elif isinstance(naming, NamesByValue):
        prop = event.by_name.get(naming.property)
        if prop is None or prop.items or prop.multiple or prop.type != "text":
            texts = [each.name for each in event.properties if each.type == "text" and not each.multiple]
            yield f"event_type.{event.name}.property: {naming.property!r} is no text; {allowed(naming.property, texts)}"


def _problems(key: str, name: str, found: Sequence[Property], names: list[str], form: ExportFormat) -> Iterator[str]:
    """Yield what is wrong with a column of a property: it has to be one thing in each type that has it."""
    if not found:
        yield f"{key}: {name!r} is unknown; {allowed(name, names)}"
    elif len(types := sorted({prop.sql_type for prop in found})) > 1:
        yield f"{key}: {name!r} is {' and '.join(types)}, depending on the type; needed is one type, or a goal for each"
    elif found[0].multiple and form.multi_value is None:
        yield f"{key}: {name!r} holds several values; needed is `format: {{multi_value: …}}`, what to put between them"
