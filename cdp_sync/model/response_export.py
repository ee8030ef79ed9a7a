"""Export goals of responses: of each mailing one row per contact, once and again when it grew, and files of links."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.event import EventType
from cdp_sync.model.export import ExportFile, ReplacedFile
from cdp_sync.model.format import ExportFormat
from cdp_sync.model.goal import Goal
from cdp_sync.model.profile import Profiles
from cdp_sync.model.property import Property
from cdp_sync.model.suggestion import allowed

ROLES = ("sent", "delivered", "opened", "clicked", "bounced", "unsubscribed")
"""What a contact's response is made of, in the order of the columns."""


Links = Literal["none", "one_file", "by_link"]
"""The files of links."""


def _in_words(value: Any) -> Any:  # noqa: ANN401 - whatever is declared
    return {True: "by_link", False: "none"}[value] if isinstance(value, bool) else value


class ResponseEvents(Declared):
    """The types of events that responses are made of. A type that is not declared has no columns."""

    sent: str = "email_sent"
    """Type of the events that the mailing was sent."""
    delivered: str = "email_delivered"
    """Type of the events that it was delivered."""
    opened: str = "email_opened"
    """Type of the events that it was opened."""
    clicked: str = "email_link_clicked"
    """Type of the events that a link in it was clicked."""
    bounced: str = "email_bounced"
    """Type of the events that it was not delivered."""
    unsubscribed: str = "email_unsubscribed"
    """Type of the events that its recipient unsubscribed."""

    def declared(self, types: Mapping[str, EventType]) -> dict[str, EventType]:
        """Return the declared types by what they stand for."""
        return {role: types[getattr(self, role)] for role in ROLES if getattr(self, role) in types}


class ResponseFile(ExportFile):
    """How the files of a mailing are called and packed. The mailing follows the name, then the link."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = "responses.csv"
    """Each mailing has a file of this name and its own: `responses_spring.csv`."""
    timestamp: bool = False
    """Put the time of the run, YYYYMMDDHHMMSS in UTC, after the name: a mailing that grew gets a new file."""


class ResponseExportGoal(Goal):
    """Puts the responses to mailings on the server, as delimited files."""

    memory_limit: ClassVar[str | None] = None
    """What DuckDB may keep in memory during a run; the warehouse's own limit unless given."""
    segment: ClassVar[str | None] = None
    """Responses are those of all profiles."""

    mailing: str = "campaign_id"
    """The property of events that names the mailing."""
    events: ResponseEvents = ResponseEvents()
    """The types of the events."""
    bounce_kind: str = "kind"
    """The property of bounces that is `hard` or `soft`."""
    link: str = "url"
    """The property of clicks that is the link."""
    contact: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Properties of the profile that name the contact; absent: the identifiers."""
    after_hours: Annotated[float, Field(ge=0, le=8_760)] = 24
    """Hours after the first event of a mailing, which is when it is sent, until its responses are exported."""
    since: date | None = None
    """Only mailings that were first sent on this day, in UTC, or later."""
    directory: Annotated[str, Field(min_length=1)] = "."
    """Directory on the server."""
    file: ResponseFile = ResponseFile()
    """How files are called and packed."""
    format: ExportFormat = ExportFormat()
    """How files are written."""
    links: Annotated[Links, BeforeValidator(_in_words, json_schema_input_type=Links | bool)] = "none"
    """Who clicked which link: in one file of the mailing, or in a file for each link, which is what `true` means."""

    @model_validator(mode="after")
    def _check(self) -> "ResponseExportGoal":
        names = self.contact or ()
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"contact: more than once: {', '.join(repeated)}")
        if self.processors:
            raise ValueError("processors: rows of responses cannot be processed; leave it out")
        return self

    @property
    def replaced_files(self) -> tuple[ReplacedFile, ...]:
        """The files that later runs replace; none where names have the time of the run."""
        if self.file.timestamp:
            return ()
        return (ReplacedFile(PurePosixPath(self.directory), self.file.name, self.file.compress, "MAILING"),)

    @property
    def destination(self) -> str:
        """Where responses go, for people."""
        return f"file: `{self.file.name}` in `{self.directory}`"

    def contacts(self, profiles: Profiles) -> tuple[Property, ...]:
        """Return the properties that name a contact."""
        if self.contact is None:
            return profiles.identifiers
        return tuple(profiles.readable[name] for name in self.contact)

    def has_personal(self, profiles: Profiles) -> bool:
        """Return whether it exports personal properties of profiles."""
        return profiles.are_personal(prop.name for prop in self.contacts(profiles))

    def types(self, profiles: Profiles) -> dict[str, EventType]:
        """Return the types of events that name a mailing, by what they stand for."""
        every = self.events.declared(profiles.event).items()
        return {role: event for role, event in every if self.single("mailing", event)}

    def single(self, key: str, event: EventType) -> Property | None:
        """Return the property of a type that a key such as `mailing` names; None where it has no single one."""
        found = event.by_name.get(getattr(self, key))
        return None if found is None or found.items or found.multiple else found

    def read_segments(self, _profiles: Profiles) -> tuple[str, ...]:
        """Return the segments whose conditions it asks: none."""
        return ()

    def read_lifecycles(self, _profiles: Profiles) -> tuple[str, ...]:
        """Return the lifecycles whose stages its columns hold: none."""
        return ()

    def read_events(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the types of its events, and those that its columns read by rollups."""
        rollups = (profiles.rollup.get(name) for name in self.contact or ())
        own = (event.name for event in self.types(profiles).values())
        return tuple(dict.fromkeys((*own, *(rollup.event for rollup in rollups if rollup))))

    def columns(self, profiles: Profiles) -> tuple[str, ...]:
        """Return the columns of a file that follow the contact: what there is of each type, then its times."""
        roles = tuple(self.types(profiles))
        return (*roles, *(f"{end}_{role}_at" for role in roles for end in ("first", "last")))

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile and its events, each as `path: what was found; what is allowed`."""
        for role in sorted(self.events.model_fields_set):
            if (name := getattr(self.events, role)) not in profiles.event:
                yield f"events.{role}: {name!r} is unknown; {allowed(name, profiles.event)}"
        found = self.events.declared(profiles.event)
        if not found:
            yield f"events: none of the types is declared; needed is one of them: {', '.join(_DEFAULTS)}"
        elif not self.types(profiles):
            names = dict.fromkeys(name for event in found.values() for name in event.by_name)
            yield f"mailing: {self.mailing!r} is no single value of these events; {allowed(self.mailing, names)}"
        if self.links != "none" and not ("clicked" in found and self.single("link", found["clicked"])):
            yield f"links: no clicks with the property {self.link!r} are declared; needed is `events: {{clicked: …}}`"
        if "bounce_kind" in self.model_fields_set and not self._has_kinds(found):
            known = found["bounced"].by_name if "bounced" in found else ()
            yield f"bounce_kind: {self.bounce_kind!r} is no single value of bounces; {allowed(self.bounce_kind, known)}"
        if unknown := [(place, name) for place, name in enumerate(self.contact or ()) if name not in profiles.readable]:
            yield from (f"contact[{place}]: {profiles.unreadable(name)}" for place, name in unknown)
        else:
            yield from self._contact_problems(profiles)

    def _has_kinds(self, types: Mapping[str, EventType]) -> bool:
        """Return whether there are bounces that say their kind."""
        return "bounced" in types and self.single("bounce_kind", types["bounced"]) is not None

    def _contact_problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what is wrong with the properties that name a contact; absent, these are the identifiers."""
        contacts = self.contacts(profiles)
        taken = {"mailing", *self.columns(profiles), *(_OF_LINKS if self.links != "none" else ())}
        if not contacts:
            yield "contact: the profile has no identifier; needed are properties that name a contact"
        for prop in contacts:
            if prop.multiple and self.format.multi_value is None:
                yield f"contact: {prop.name!r} holds several values; needed is `format: {{multi_value: …}}`"
            if prop.name in taken:
                yield f"contact: a column of responses is called {prop.name!r}; needed are other properties"


_OF_LINKS = ("link", "clicks", "first_clicked_at", "last_clicked_at")
"""The columns of a file of links that follow the contact."""

_DEFAULTS = tuple(ResponseEvents().model_dump().values())
