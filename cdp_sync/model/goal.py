"""Import goals: which files, whose rows, into which properties."""

import fnmatch
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.event_import import EventImport
from cdp_sync.model.format import Format
from cdp_sync.model.mail_address import folded
from cdp_sync.model.pattern import Regex, compile_pattern
from cdp_sync.model.processed_fields import fields_before, function_problems
from cdp_sync.model.processor import Processor
from cdp_sync.model.profile import Profiles
from cdp_sync.model.records import Records

if TYPE_CHECKING:
    from cdp_sync.model.connection import Connection
    from cdp_sync.model.expected_file import Expected

SetMode = Literal["set", "set_if_empty", "set_or_clear", "add", "sum"]

TEMPORARY_PREFIXES = (".", "~")
TEMPORARY_SUFFIXES = (
    ".part", ".filepart", ".partial", ".tmp", ".temp", ".crdownload", ".inprogress", ".uploading", ".lock",
)  # fmt: skip
"""Names that senders give to files they have not finished."""

BLOCKED = ("null", "none", "n/a", "unknown", "0", "-", "anonymous")
"""Link values that name nobody, in any case; runs of zeros are blocked as well."""


class Link(Declared):
    """A field of the file and the identifier property it names a person by."""

    field: Annotated[str, Field(min_length=1)]
    """Column of the file."""
    property: str
    """Identifier property of the profile."""


class Mapping(Declared):
    """A field of the file and the property it fills."""

    field: Annotated[str, Field(min_length=1)]
    """Column of the file."""
    property: str
    """Property of the profile."""
    mode: SetMode = "set"
    """How the value gets in: `set`, `set_if_empty`, `set_or_clear`, `add` or `sum`."""


class DetectedMapping(Declared):
    """Maps every field that nothing else maps to a text property of its own."""

    prefix: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$")] = ""
    """Put in front of the field's name."""
    max_columns: Annotated[int, Field(ge=1, le=5000)] = 200
    """Fields that may be detected; a file with more fails."""


class Completeness(Declared):
    """When a file counts as whole."""

    settle_seconds: Annotated[float, Field(ge=0, le=86400)] = 10.0
    """Size and time must stay the same for so many seconds of our own clock."""
    marker: str | None = None
    """Name of a file that says so, e.g. `{name}.done`; used instead of waiting."""

    @field_validator("marker")
    @classmethod
    def _names_the_file(cls, value: str | None) -> str | None:
        if value is not None and ("{name}" not in value or "/" in value):
            raise ValueError(f"found {value!r}; needed is a file name with {{name}} in it, such as {{name}}.done")
        return value


class Goal(Declared):
    """What every goal has."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier of the goal; the last part of its asset key."""
    title: str | None = None
    """What people call it."""
    enabled: bool = True
    """Off: the connection's runs leave it out."""
    was: Annotated[str, Field(pattern=NAME_PATTERN)] | None = None
    """Former name of a renamed goal: it goes on with what it imported or delivered under that."""
    processors: tuple[Processor, ...] = ()
    """What is done with the fields of rows, in order: before an import links and maps them, before an export writes."""


class RowRules(Goal):
    """How rows become records, people or groups, wherever they come from."""

    map: tuple[Mapping, ...] = ()
    """Which fields fill which properties."""
    map_detected: DetectedMapping | None = None
    """Also map every other field found, as text."""
    max_rejected_percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    """Error budget: with more rejected rows the file fails as a whole and nothing of it lands."""

    @model_validator(mode="after")
    def _fills_once(self) -> Self:
        for index, processor in enumerate(self.processors):
            if "import" not in processor.settings.directions:
                raise ValueError(f"processors[{index}]: found {processor.name}; it is for exports only")
        modes: dict[str, list[str]] = {}
        for mapping in self.map:
            modes.setdefault(mapping.property, []).append(mapping.mode)
        for name, found in modes.items():
            if len(found) > 1 and set(found) not in ({"add"}, {"sum"}):
                times = f"{len(found)} times ({', '.join(found)})"
                raise ValueError(f"map: {name} is filled {times}; allowed is that with add or with sum")
        return self

    def importing(self, connection: "Connection", profiles: Profiles) -> "ImportGoal":
        """Return the goal as rows of delimited text, which is what the engine imports."""
        raise NotImplementedError

    def records(self, profiles: Profiles) -> Records:
        """Return what the rows become, of what is declared: people, unless the goal imports groups."""
        return profiles

    def reads(self, path: str) -> bool:
        """Return whether the goal imports what the ledger knows by this path."""
        raise NotImplementedError

    def path_of(self, local: Path) -> str:
        """Return the path that a file of this machine would have if it were delivered to the goal."""
        return str(local)

    @property
    def origin(self) -> str:
        """Where its rows come from, for people."""
        raise NotImplementedError

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit what is declared, each as `path: what was found; what is allowed`."""
        records = self.records(profiles)
        yield from function_problems(self.processors)
        for index, mapping in enumerate(self.map):
            prop = records.by_name.get(mapping.property)
            if prop is None:
                yield f"map[{index}].property: {records.unknown(mapping.property)}"
            elif mapping.mode == "add" and not prop.multiple:
                found = f"{prop.name} holds one value"
                yield f"map[{index}].mode: 'add' needs a property with `multiple: true`, and {found}"
            elif mapping.mode == "sum" and (prop.multiple or prop.type not in ("number", "decimal")):
                found = f"{prop.name} is {prop.sql_type.lower()}"
                yield f"map[{index}].mode: 'sum' needs a single number or decimal, and {found}"


class ImportRules(RowRules):
    """How rows become profiles, wherever they come from."""

    link: tuple[Link, ...] = ()
    """How rows name people: any of these, tried in this order. Left out where rows only add to events by their ids."""
    blocked_values: tuple[str, ...] = ()
    """Further link values that name nobody, in any case."""
    allow_new_profiles: bool = True
    """Rows that match no profile create one; otherwise they count as unmatched."""
    events: tuple[EventImport, ...] = ()
    """What people did: the events that each row holds."""

    @model_validator(mode="after")
    def _says_whose(self) -> Self:
        if len({(link.field, link.property) for link in self.link}) < len(self.link):
            raise ValueError("link: the same field and property stand there twice")
        if not self.link and (self.map or self.map_detected or not self.events):
            raise ValueError("link: nothing says whose the rows are; needed is at least one")
        if not self.link and not all(event.id for event in self.events):
            raise ValueError("link: nothing says whose the events without an id are; needed is at least one")
        return self

    def as_rows(self, kind: "type[ImportGoal] | None" = None, **changes: object) -> "ImportGoal":
        """Return an import goal with the same rules; other fields, such as `format`, as they are given."""
        rules = {name: getattr(self, name) for name in ImportRules.model_fields}
        return (kind or ImportGoal)(**rules | changes)

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from profiles.link_problems(link.property for link in self.link)
        yield from super().problems(profiles)
        for index, event in enumerate(self.events):
            yield from (f"events[{index}]{problem}" for problem in event.problems(profiles.event))
            if event.id and (event.type, event.id) in [(other.type, other.id) for other in self.events[:index]]:
                yield f"events[{index}].id: another entry has the type and the id of this one; needed is one entry"

    @property
    def fields(self) -> tuple[str, ...]:
        """The linked and mapped fields, each once, in order."""
        named = [link.field for link in self.link] + [mapping.field for mapping in self.map]
        named += [field for event in self.events for field in event.fields]
        return tuple(dict.fromkeys(named))

    @property
    def item_lists(self) -> dict[str, tuple[str, ...]]:
        """The fields that hold lists of items, each with the names that are read in its items."""
        lists = [items for event in self.events for items in event.items.values() if items.field]
        named = {str(items.field): (items.id, *(each.field for each in items.map)) for items in lists}
        return {field: tuple(dict.fromkeys(name for name in names if name)) for field, names in named.items()}

    @property
    def naming_fields(self) -> tuple[str, ...]:
        """The fields of which a row needs one, to be for anybody: linked ones, or else those that name events."""
        named = [link.field for link in self.link] or [event.id for event in self.events if event.id]
        return tuple(dict.fromkeys(named))

    @property
    def needed(self) -> tuple[str, ...] | None:
        """The linked and mapped fields and those that processors read, each once; None where it needs all."""
        functions = (each.python for each in self.processors if each.python)
        if self.map_detected or any(not function.fields for function in functions):
            return None
        return tuple(dict.fromkeys((*self.fields, *fields_before(self.processors))))

    @property
    def blocked(self) -> tuple[str, ...]:
        """All blocked link values, in lower case, and as addresses are stored."""
        words = [value.strip() for value in (*BLOCKED, *self.blocked_values)]
        return tuple(dict.fromkeys([*(word.lower() for word in words), *map(folded, words)]))


class Delivered(Declared):
    """How delimited text is written, and what it means that a row or a file is delivered again."""

    format: Format = Format()
    """How the files are written."""
    row_key: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Fields that name a row in its sender's system: a row whose key was applied before replaces its former self."""
    redelivered: Literal["adds", "replaces"] = "adds"
    """Whether a redelivered file adds the sums of its new rows, or its sums become those of its latest content."""

    @model_validator(mode="after")
    def _replaces_in_one_way(self) -> Self:
        if self.row_key and self.redelivered == "replaces":
            raise ValueError("row_key and redelivered: replaces are both given; needed is one of them")
        return self


class ImportGoal(Delivered, ImportRules):
    """Imports profiles from delimited text."""

    from_elsewhere: ClassVar[frozenset[str]] = frozenset()
    """Linked and mapped fields that a file need not hold: an enricher looks them up."""
    may_be_packed: ClassVar[bool] = True
    """Whether a file may be an archive."""
    keys_may_lack: ClassVar[bool] = False
    """Whether a field of `row_key` that no row has is empty in all of them; otherwise a file without it fails."""

    def importing(self, connection: "Connection", profiles: Profiles) -> "ImportGoal":
        """Return the goal itself."""
        return self

    @property
    def keeps_unmatched(self) -> bool:
        """Whether rows that match no profile wait for one: their file may not come again."""
        return False

    @property
    def expected(self) -> "Expected | None":
        """What a strict goal expects of its files; None where a file may be any that has the linked columns."""
        return None

    def reading(self, path: str) -> "ImportGoal":
        """Return the goal as it reads the file at a path."""
        return self

    @property
    def links_as_json(self) -> str:
        """What rows are linked by, for the ledger."""
        return json.dumps([[link.field, link.property] for link in self.link])

    @property
    def sums_as_json(self) -> str:
        """What is summed into what, for the ledger."""
        return json.dumps(sorted([each.field, each.property] for each in self.map if each.mode == "sum"))

    @property
    def row_fields(self) -> tuple[str, ...]:
        """The fields whose cells make a row what it is: linked, mapped and key ones."""
        return tuple(dict.fromkeys((*self.fields, *self.row_key)))

    @property
    def memory_limit(self) -> str | None:
        """What DuckDB may keep in memory during a run; the warehouse's own limit unless given."""
        return None

    @property
    def member_pattern(self) -> str | None:
        """Wildcard that selects the members of an archive, if there is one."""
        return None

    def names_file(self, name: str) -> bool:
        """Return whether the goal's pattern names a file."""
        return True

    def named(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the fields' names, given the header's."""
        return columns


class Files(Declared):
    """Which files of a server a goal reads."""

    directory: Annotated[str, Field(min_length=1)] = "."
    """Directory on the server."""
    files: str | None = None
    """Wildcard that selects the files by name, e.g. `customers_*.csv`; absent: all of them."""
    files_regex: Regex | None = None
    """Regular expression in RE2's syntax that the whole name must match, instead of `files`."""
    members: str | None = None
    """Wildcard that selects the members of an archive; absent: the goal's own pattern, then the archive's rules."""
    complete: Completeness = Completeness()
    """When a file counts as whole."""

    @property
    def origin(self) -> str:
        """Where its files are, for people."""
        return f"files: `{self.files or self.files_regex or 'all files'}` in `{self.directory}`"

    @property
    def member_pattern(self) -> str | None:
        """Wildcard that selects the members of an archive, if there is one."""
        return self.members

    def names_file(self, name: str) -> bool:
        """Return whether the goal's pattern names a file. Case counts, as on the server."""
        if self.files_regex is not None:
            return compile_pattern(self.files_regex).fullmatch(name) is not None
        return self.files is None or fnmatch.fnmatchcase(name, self.files)

    def arrives_as(self, name: str) -> bool:
        """Return whether the goal names the file, and it is not called like one that its sender has not finished."""
        unfinished = name.startswith(TEMPORARY_PREFIXES) or name.lower().endswith(TEMPORARY_SUFFIXES)
        return not unfinished and self.names_file(name)

    def reads(self, path: str) -> bool:
        """Return whether the goal imports the file at a path."""
        folder, _, name = path.rpartition("/")
        return folder == self.directory.rstrip("/") and self.arrives_as(name)

    def path_of(self, local: Path) -> str:
        """Return the path that a file of this machine would have if it were delivered to the goal."""
        return f"{self.directory.rstrip('/')}/{local.name}"

    @model_validator(mode="after")
    def _selects_in_one_way(self) -> Self:
        if self.files and self.files_regex:
            raise ValueError("files and files_regex are both given; needed is one of them")
        return self


class FileGoal(Files, ImportGoal):
    """Imports profiles from delimited files on a server."""

    def importing(self, connection: "Connection", profiles: Profiles) -> "FileGoal":
        """Return the goal itself."""
        return self

    @property
    def keeps_unmatched(self) -> bool:
        """Whether rows that match no profile wait for one: their file may not come again."""
        return not self.allow_new_profiles
