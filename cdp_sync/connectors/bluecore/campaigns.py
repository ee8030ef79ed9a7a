"""What an author declares of audience exports: an integration, and the campaigns that use it, as goals."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field, field_validator, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.export import ExportColumn, ExportFile, FileExportGoal, file_name
from cdp_sync.model.format import ExportFormat
from cdp_sync.model.occurrences import is_due, occurrences
from cdp_sync.model.profile import Profiles
from cdp_sync.model.schedule import Schedule
from cdp_sync.model.suggestion import allowed

Delimiter = Literal["comma", "pipe", "tab", "semicolon"]
_SEPARATORS: dict[Delimiter, str] = {"comma": ",", "pipe": "|", "tab": "\t", "semicolon": ";"}

Eligible = Literal["any", "not_unsubscribed", "opted_in", "known", "unsubscribed"]
"""Whose profiles a campaign exports: of which state for e-mail."""


class CampaignGoal(FileExportGoal):
    """An audience in a file: once at a moment, or recurring. Problems are named as the author declares them."""

    keeps_columns: ClassVar[bool] = True

    at: AwareDatetime | None = None
    """When it exports once."""
    recurs: Schedule | None = None
    """When it exports; without this and without `at` in every run of the connection."""
    needs: tuple[str, ...] = ()
    """The properties of which a profile needs one."""
    further: tuple[tuple[str, bool], ...] = ()
    """Further segments that its profiles are in, or are not in."""

    @property
    def narrowed_by(self) -> tuple[tuple[str, bool], ...]:
        """Further segments that its profiles are in (True), or are not in (False)."""
        return self.further

    @property
    def needs_one_of(self) -> tuple[str, ...]:
        """The properties of which a profile needs one."""
        return self.needs

    def waits(self, created: datetime, exported: datetime | None, now: datetime) -> str:
        """Return why it exports nobody now, given its first run and its last export; empty: it exports."""
        if self.at and exported:
            return f"It was exported once, on {_shown(exported)}."
        if self.at and now < self.at:
            return f"It is exported once, on {_shown(self.at)}."
        since = exported or created
        if self.recurs and not is_due(self.recurs, since, now):
            return f"It is not due yet. The next export is due on {_shown(next(occurrences(self.recurs, now)))}."
        return ""

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what is wrong with its audience; what is wrong with its columns the integration says."""
        yield from profiles.segment_problem("audience", self.segment)


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d at %H:%M} (UTC)"


class GroupAttribute(Declared):
    """A property of the groups that a profile belongs to."""

    group: str
    """The property of profiles that holds the groups."""
    property: str
    """A property of these groups."""


class Definitions(Declared):
    """What is exported beside addresses and telephone numbers, each a column of this name, in this order."""

    customers: tuple[str, ...] = ()
    """Customer attributes: properties of profiles, and rollups."""
    products: tuple[str | GroupAttribute, ...] = ()
    """Product attributes: rollups of the items of events, or properties of groups."""
    scores: tuple[str, ...] = ()
    """Scores, as percentiles."""
    lifecycles: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Stages in all lifecycles, or in these: one column, with `lifecycle: stage` of each."""

    @property
    def columns(self) -> Iterator[tuple[str, ExportColumn]]:
        """The columns, each with its place."""
        for key in ("customers", "products", "scores"):
            for index, held in enumerate(getattr(self, key)):
                if isinstance(held, GroupAttribute):
                    field = f"{held.group}_{held.property}"
                    yield f"{key}[{index}]", ExportColumn(field=field, group=held.group, property=held.property)
                else:
                    yield f"{key}[{index}]", ExportColumn(field=held, property=held)
        if self.lifecycles:
            yield "lifecycles", ExportColumn(field="lifecycles", lifecycles=self.lifecycles)


class Eligibility(Declared):
    """Who may get e-mail, by segments. Who is in neither is `known`; who is in both has unsubscribed."""

    opted_in: str | None = None
    """The segment of the people who have opted in."""
    unsubscribed: str | None = None
    """The segment of the people who have unsubscribed."""

    @model_validator(mode="after")
    def _says_something(self) -> "Eligibility":
        if not (self.opted_in or self.unsubscribed):
            raise ValueError("found neither opted_in nor unsubscribed; needed is one of these segments at least")
        return self

    @property
    def column(self) -> ExportColumn:
        """The column of each profile's state."""
        states = {self.unsubscribed: "unsubscribed", self.opted_in: "opted-in"}
        texts = {name: state for name, state in states.items() if name}
        return ExportColumn(field="eligibility", first_segment=texts, otherwise="known")

    def needed_for(self, eligible: Eligible) -> str:
        """Return the key that has to be declared before a campaign can ask for a state; empty: none."""
        needed = {"opted_in": "opted_in", "unsubscribed": "unsubscribed", "not_unsubscribed": "unsubscribed"}
        key = needed.get(eligible, "")
        return key if key and not getattr(self, key) else ""

    def narrowed(self, eligible: Eligible) -> tuple[tuple[str, bool], ...]:
        """Return the segments that profiles of a state are in, or are not in."""
        opted_in, unsubscribed = {
            "any": (None, None),
            "not_unsubscribed": (None, False),
            "opted_in": (True, False),
            "known": (False, False),
            "unsubscribed": (None, True),
        }[eligible]
        asked = ((self.opted_in, opted_in), (self.unsubscribed, unsubscribed))
        return tuple((name, has) for name, has in asked if name and has is not None)


class Integration(Declared):
    """Where audiences are sent, what of each profile, and how it is written."""

    vendor: Annotated[str, Field(min_length=1)]
    """The name of the vendor that receives the files."""
    email: str | None = "email"
    """The property that holds the e-mail address; always exported."""
    phone: str | None = None
    """The property that holds the telephone number; always exported. A profile without both is not exported."""
    definitions: Definitions = Definitions()
    """What else is exported; a campaign keeps the definitions of its first run."""
    eligibility: Eligibility | None = None
    """Adds a column with the state of each profile, and lets campaigns ask for states."""
    directory: Annotated[str, Field(min_length=1)]
    """Directory on the server."""
    file_name: Annotated[str, Field(min_length=1, max_length=150)] = "{campaign}.csv"
    """The name of a file; `{campaign}` stands for the campaign's name."""
    timestamp: bool = False
    """Put the time of the run, YYYYMMDDHHMMSS in UTC, at the end of the name."""
    encoding: Literal["utf-8", "utf-16"] = "utf-8"
    """Character encoding."""
    row_delimiter: Literal["windows", "linux"] = "windows"
    """Line ending: CR LF (`windows`) or LF (`linux`)."""
    column_delimiter: Delimiter = "comma"
    """Between the columns."""
    header: bool = True
    """The first row names the columns."""
    multi_value: Annotated[str, Field(min_length=1)] = "|"
    """Between the values of an attribute that holds several."""

    @model_validator(mode="after")
    def _reaches_people(self) -> "Integration":
        if not (self.email or self.phone):
            raise ValueError("email and phone: found neither; needed is the property of one of them at least")
        places: dict[str, str] = {}
        for place, column in self.placed_columns:
            if places.setdefault(column.field, place) != place:
                raise ValueError(
                    f"{place}: {places[column.field]} is the column {column.field!r} as well; leave one out"
                )
        return self

    @field_validator("file_name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if unknown := re.search(r"\{(?!campaign\})[^}]*\}?", value):
            raise ValueError(f"found {unknown[0]!r}; only `{{campaign}}` stands for something")
        return file_name(value)

    @property
    def placed_columns(self) -> Iterator[tuple[str, ExportColumn]]:
        """The columns of a file, each with its place in the declaration."""
        yield from (
            (name, ExportColumn(field=name, property=held))
            for name, held in (("email", self.email), ("phone", self.phone))
            if held
        )
        yield from ((f"definitions.{place}", column) for place, column in self.definitions.columns)
        if self.eligibility:
            yield "eligibility", self.eligibility.column

    @property
    def format(self) -> ExportFormat:
        """How files are written."""
        separator = _SEPARATORS[self.column_delimiter]
        same = {name: getattr(self, name) for name in ("encoding", "row_delimiter", "header", "multi_value")}
        return ExportFormat(separator=separator, **same)

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        for index, name in enumerate(self.definitions.scores):
            if name in profiles.readable and name not in profiles.score:
                yield f"definitions.scores[{index}]: {name!r} is no score; {allowed(name, profiles.score)}"
        for place, column in self.placed_columns:
            yield from (f"{place}.{problem}" for problem in column.problems(profiles))


class Campaign(Declared):
    """An audience that is exported by an integration."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier of the campaign; the last part of its asset key."""
    title: str | None = None
    """What people call it."""
    enabled: bool = True
    """Off: the connection's runs leave it out."""
    audience: str
    """The segment whose profiles are exported."""
    eligible: Eligible = "any"
    """Only profiles of this state."""
    at: AwareDatetime | None = None
    """Export once: in the first run of the connection from this moment on."""
    schedule: Schedule | None = None
    """Export again and again: in the first run of the connection after each of these times; absent: in every run."""

    @model_validator(mode="after")
    def _once_or_again(self) -> "Campaign":
        if self.at and self.schedule:
            raise ValueError("at and schedule are both given; needed is one of them, or none")
        return self

    def goal(self, integration: Integration) -> CampaignGoal:
        """Return the goal that exports the audience: everybody, as they are at the time of the run."""
        columns = tuple(column for _, column in integration.placed_columns)
        eligibility = integration.eligibility
        return CampaignGoal(
            name=self.name,
            title=self.title or f"Audience for {integration.vendor}: {self.name}",
            enabled=self.enabled,
            segment=self.audience,
            map=columns,
            changes="all",
            directory=integration.directory,
            file=ExportFile(
                name=integration.file_name.replace("{campaign}", self.name), timestamp=integration.timestamp
            ),
            format=integration.format,
            write_empty=True,
            at=self.at,
            recurs=self.schedule,
            needs=tuple(name for name in (integration.email, integration.phone) if name),
            further=eligibility.narrowed(self.eligible) if eligibility else (),
        )
