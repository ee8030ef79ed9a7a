"""Export goals: whose profiles and which columns, into which file or to which users of a platform."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from cdp_sync.model.audience import AudienceField, Rendered
from cdp_sync.model.declared import Declared
from cdp_sync.model.format import ExportFormat
from cdp_sync.model.goal import Goal
from cdp_sync.model.lifecycle_goal import GoalLifecycle
from cdp_sync.model.processed_fields import fields_after, function_problems
from cdp_sync.model.profile import PERMISSION_LEVEL, VIEWED_INTERACTIONS, Profiles
from cdp_sync.model.property import Property
from cdp_sync.model.questions import group_problems
from cdp_sync.model.segment import Condition
from cdp_sync.model.sent_events import SentEvents
from cdp_sync.model.suggestion import allowed

SEGMENT_AND_TIMESTAMP = "segment_and_timestamp"

KINDS = (
    "property", "profile_id", "segments", "lifecycles", "viewed_interactions", "permission_level", "text",
    "first_segment",
)  # fmt: skip
"""What a column can hold; exactly one of them."""

_NOT_PROPERTIES = {VIEWED_INTERACTIONS, PERMISSION_LEVEL}
"""Kinds of columns that hold something of this name; it is not a property that was selected."""


class ExportFile(Declared):
    """How the file is called and packed."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = SEGMENT_AND_TIMESTAMP
    """`segment_and_timestamp`: a new file every time. Any other name: that file, replaced every time."""
    timestamp: bool = False
    """Put the time of the run, YYYYMMDDHHMMSS in UTC, after the name."""
    compress: Literal["none", "gzip", "zip"] = "none"
    """Pack the file; `.gz` or `.zip` is added to its name."""

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return file_name(value)


def file_name(value: str) -> str:
    """Return a text that is the name of a file.

    Raises:
        ValueError: It is none.
    """
    if value in (".", "..") or any(sign in "/\\" or ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise ValueError(f"found {value!r}; needed is a file name, without a path and control characters")
    return value


class ExportColumn(Declared):
    """A column of the file, and what it holds: a property, or one of the other things below."""

    field: Annotated[str, Field(min_length=1)]
    """Name of the column."""
    property: str | None = None
    """The value of this property."""
    group: str | None = None
    """The property that holds groups: the column has the value of `property` of each of them."""
    profile_id: Literal[True] | None = None
    """The profile's own identifier."""
    segments: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Which of these segments the profile is in: `all`, or a list of names."""
    lifecycles: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The profile's stages in these lifecycles, each as `lifecycle: stage`: `all`, or a list of names."""
    viewed_interactions: Literal[True] | None = None
    """What the profile has seen, of all time; see `interactions` of the profile model."""
    permission_level: Literal[True] | None = None
    """The profile's permission level: 0, 1 or 2; 2 where nothing is known."""
    text: str | None = None
    """The same text for every profile."""
    first_segment: Annotated[Mapping[str, str], Field(min_length=1)] | None = None
    """A text by segment: that of the first of these segments that the profile is in."""
    otherwise: str | None = None
    """With `first_segment`: the text for all others; absent: none."""

    @model_validator(mode="after")
    def _check(self) -> "ExportColumn":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"found {found}; a column holds exactly one of {', '.join(KINDS)}")
        if self.group and not self.property:
            raise ValueError("group: needed beside it is `property`, one of the groups' properties")
        if self.otherwise is not None and not self.first_segment:
            raise ValueError("otherwise: needed beside it is `first_segment`, the texts by segment")
        return self

    def kind(self) -> str:
        """Return what it holds: one of `KINDS`."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    def reads(self) -> str | None:
        """Return the name of what it reads of the profile itself; None where that is nothing."""
        return self.kind() if self.kind() in _NOT_PROPERTIES else self.property if not self.group else None

    def lifecycle_names(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the lifecycles whose stages it holds; those that are off are left out of `all`."""
        if self.lifecycles == "all":
            return tuple(lifecycle.name for lifecycle in profiles.lifecycles if lifecycle.enabled)
        return self.lifecycles or ()

    def prop(self, profiles: Profiles) -> Property | None:
        """Return what it holds: a property, a rollup, or what groups have for one; None where there is no such."""
        if self.permission_level:
            return Property(name=PERMISSION_LEVEL, type="number")
        if not self.group:
            return profiles.readable.get(self.reads() or "")
        holder = profiles.by_name.get(self.group)
        group = profiles.group.get(str(holder.group_type)) if holder else None
        found = group.by_name.get(self.property or "") if group else None
        several = holder and found and (holder.multiple or found.multiple)
        return found.model_copy(update={"multiple": bool(several)}) if found else None

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile."""
        if self.group:
            asked = {"group": self.group, "property": self.property, "has_value": True}
            yield from group_problems(Condition.model_validate(asked), profiles)
        elif self.property and self.property not in profiles.readable:
            yield f"property: {profiles.unreadable(self.property)}"
        for name in self.segments if isinstance(self.segments, tuple) else ():
            yield from profiles.segment_problem("segments", name)
        for name in self.first_segment or ():
            yield from profiles.segment_problem("first_segment", name)
        for name in self.lifecycles if isinstance(self.lifecycles, tuple) else ():
            yield from profiles.lifecycle_problem("lifecycles", name)
        if self.viewed_interactions and not profiles.interactions:
            yield "viewed_interactions: the profile model does not say what they are; needed is `interactions` there"
        if self.permission_level and PERMISSION_LEVEL in profiles.by_name and not profiles.permission_level:
            yield f"permission_level: the property {PERMISSION_LEVEL} holds something else; needed is one number"


@dataclass(frozen=True)
class ReplacedFile:
    """A file on a server that every run of a goal replaces."""

    directory: PurePosixPath
    name: str
    """As it is declared."""
    compress: str
    event_type: str = ""
    """The type of events that follows the name, if one does."""
    by_day: bool = False
    """Whether a day follows the name."""


class ExportGoal(Goal):
    """Lets a segment's profiles leave."""

    memory_limit: ClassVar[str | None] = None
    """What DuckDB may keep in memory during a run; the warehouse's own limit unless given."""

    segment: str
    """Whose profiles."""
    map: Annotated[tuple[ExportColumn, ...], Field(min_length=1)]
    """The columns, in order."""
    changes: Literal["changed", "all"] = "changed"
    """`changed`: profiles whose row differs from what this goal last delivered; `all`: everybody, every time."""
    lifecycle: GoalLifecycle | None = None
    """The lifecycle that the goal is part of: only profiles in its stages are exported, and only so often."""

    @model_validator(mode="after")
    def _check(self) -> "ExportGoal":
        names = [column.field for column in self.map]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"map: more than one column is called {', '.join(repeated)}")
        added = [name for name in fields_after(self.processors, names) if name not in names]
        # What processors add is exported after the other columns, whatever it is made of.
        object.__setattr__(self, "map", (*self.map, *(ExportColumn(field=name, text="") for name in added)))
        if self.map and not any(column.property for column in self.map):
            raise ValueError("map: no column holds a property; only profiles with a value in one are exported")
        return self

    @property
    def replaced_files(self) -> tuple[ReplacedFile, ...]:
        """The files on a server that every run replaces."""
        return ()

    @property
    def narrowed_by(self) -> tuple[tuple[str, bool], ...]:
        """Further segments that its profiles are in (True), or are not in (False)."""
        return ()

    @property
    @abstractmethod
    def destination(self) -> str:
        """Where profiles go, for people."""

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from profiles.segment_problem("segment", self.segment)
        yield from (f"lifecycle.{problem}" for problem in (self.lifecycle.problems(profiles) if self.lifecycle else ()))
        yield from function_problems(self.processors)
        names = [column.field for column in self.map]
        for index, processor in enumerate(self.processors):
            for name in processor.settings.reads:
                if name not in names:
                    yield f"processors[{index}].{processor.name}: {name!r} is no column; {allowed(name, names)}"
        yield from self.map_problems(profiles)

    def map_problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile in its columns, with their places."""
        for index, column in enumerate(self.map):
            yield from (f"map[{index}].{problem}" for problem in self.column_problems(column, profiles))

    def column_problems(self, column: ExportColumn, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile in one of the columns."""
        yield from column.problems(profiles)

    @property
    def properties(self) -> tuple[str, ...]:
        """What is exported of profiles themselves, by name, each once, in order."""
        return tuple(dict.fromkeys(name for column in self.map if (name := column.reads())))

    def has_personal(self, profiles: Profiles) -> bool:
        """Return whether it exports personal properties."""
        return profiles.are_personal(self.properties)

    def read_events(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the types of events that its columns read by rollups, or that count in its lifecycle."""
        rollups = (profiles.rollup.get(name) for name in self.properties)
        counted = self.lifecycle.counted_event if self.lifecycle else None
        return tuple(dict.fromkeys([*(rollup.event for rollup in rollups if rollup), *([counted] if counted else [])]))

    def read_segments(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the segments whose conditions it asks: its own, and those of its columns."""
        every = tuple(segment.name for segment in profiles.segments)
        columns = (every if column.segments == "all" else column.segments or () for column in self.map)
        first = (name for column in self.map for name in column.first_segment or ())
        return tuple(dict.fromkeys([self.segment, *(name for names in columns for name in names), *first]))

    def read_lifecycles(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the lifecycles whose stages it reads: the one that it is part of, and those of its columns."""
        columns = (name for column in self.map for name in column.lifecycle_names(profiles))
        return tuple(dict.fromkeys([*([self.lifecycle.name] if self.lifecycle else []), *columns]))

    def read_scores(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the scores that its columns read."""
        return tuple(name for name in self.properties if name in profiles.score)

    def read_groups(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the types of groups that its columns read."""
        holders = (profiles.by_name[column.group] for column in self.map if column.group)
        return tuple(dict.fromkeys(str(holder.group_type) for holder in holders))


class FileExportGoal(ExportGoal):
    """Puts a segment's profiles on the server, as a delimited file."""

    keeps_columns: ClassVar[bool] = False
    """Whether it is a campaign: it exports the columns of its first run, and not in every run."""

    directory: Annotated[str, Field(min_length=1)] = "."
    """Directory on the server."""
    file: ExportFile = ExportFile()
    """How the file is called and packed."""
    format: ExportFormat = ExportFormat()
    """How the file is written."""
    write_empty: bool = False
    """Also write a file when there are no profiles to write."""

    @property
    def destination(self) -> str:
        """Where profiles go, for people."""
        return f"file: `{self.file.name}` in `{self.directory}`"

    @property
    def needs_one_of(self) -> tuple[str, ...]:
        """The properties of which a profile needs one; none: it needs no certain one."""
        return ()

    def waits(self, created: datetime, exported: datetime | None, now: datetime) -> str:
        """Return why a campaign exports nobody now, given its first run and its last export; empty: it exports."""
        return ""

    @property
    def replaced_files(self) -> tuple[ReplacedFile, ...]:
        """The file that every run replaces; none where names have the time of the run."""
        if self.file.timestamp or self.file.name == SEGMENT_AND_TIMESTAMP:
            return ()
        return (ReplacedFile(PurePosixPath(self.directory), self.file.name, self.file.compress),)

    def column_problems(self, column: ExportColumn, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, or a file, in one of the columns."""
        yield from super().column_problems(column, profiles)
        prop = column.prop(profiles)
        several = column.segments or column.lifecycles or (prop and prop.multiple)
        if several and self.format.multi_value is None:
            what = f"property: {column.property!r}" if column.property else column.kind()
            yield f"{what}: holds several values; needed is `format: {{multi_value: …}}`, what to put between them"


class AudienceLink(Declared):
    """A key that the platform knows a user by, and the identifier property that holds it."""

    field: Annotated[str, Field(min_length=1)]
    """The platform's key."""
    property: str
    """Identifier property of the profile; of several values the first counts."""


class AudienceGoal(ExportGoal):
    """Brings a segment's profiles to the users of a platform."""

    identity_key: ClassVar[str] = "id"
    """The key that holds the platform's own id of a user, by which no user can be created."""
    link: Annotated[tuple[AudienceLink, ...], Field(min_length=1)]
    """Which user a profile is: the first of these that it has a value of. Profiles without any are not exported."""
    map: tuple[ExportColumn, ...] = ()
    """The user's fields, each with what it holds."""
    create_users: bool = False
    """Create users that do not exist; otherwise only existing users get values."""

    @abstractmethod
    def render(self, fields: Sequence[AudienceField]) -> Rendered:
        """Return how a user is written.

        Args:
            fields: The fields that hold properties, in order.
        """

    def field_types(self, profiles: Profiles) -> dict[str, str]:
        """Return the type of each mapped field's property; text for what holds no property."""
        props = ((column.field, column.prop(profiles)) for column in self.map)
        return {field: prop.type if prop else "text" for field, prop in props}

    @property
    def memberships(self) -> tuple[str, ...]:
        """The lists that the goal puts users on; none on a platform without lists."""
        return ()

    @property
    def removes(self) -> bool:
        """Whether users are taken off these lists when their profiles leave the segment."""
        return False

    def read_events(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the types of events that it sends, or that its columns read by rollups."""
        return tuple(dict.fromkeys((*super().read_events(profiles), *(sent.type for sent in self.sent_events))))

    @property
    def sent_events(self) -> tuple[SentEvents, ...]:
        """The types of events that go along with the profiles; none on a platform without events."""
        return ()

    @property
    def destination(self) -> str:
        """Where profiles go, for people."""
        links = ", ".join(f"{link.property} → {link.field}" for link in self.link)
        leave = "; who leaves the segment is taken off" if self.removes else ""
        lists = f"\n- lists: {', '.join(self.memberships)}{leave}" if self.memberships else ""
        sent = ", ".join(f"{events.type} → {events.target}" for events in self.sent_events)
        events = f"\n- events: {sent}" if sent else ""
        return f"linked by {links}; {'creates' if self.create_users else 'never creates'} users{lists}{events}"

    def has_personal(self, profiles: Profiles) -> bool:
        """Return whether it exports personal properties, or names users by them."""
        return super().has_personal(profiles) or profiles.are_personal(link.property for link in self.link)

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from super().problems(profiles)
        yield from profiles.link_problems(link.property for link in self.link)
        for index, events in enumerate(self.sent_events):
            yield from (f"events[{index}]{problem}" for problem in events.problems(profiles.event))
