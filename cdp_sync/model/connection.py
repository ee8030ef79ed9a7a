"""A connection: how to reach a platform, and the goals there, in running order."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.event_export import EventExportGoal
from cdp_sync.model.export import ExportGoal, FileExportGoal
from cdp_sync.model.goal import FileGoal, ImportRules, RowRules
from cdp_sync.model.group_import import FileGroupGoal, GroupRules
from cdp_sync.model.kind import kind_of
from cdp_sync.model.mail_address import is_address
from cdp_sync.model.profile import Profiles
from cdp_sync.model.response_export import ResponseExportGoal
from cdp_sync.model.schedule import Schedule
from cdp_sync.model.server import SftpServer

RESERVED = frozenset(
    {"segments", "events", "profiles", "groups", "lifecycles", "scores", "analytics", "broken_connections"}
)
"""Asset keys and groups that are no connection's."""

LISTED = ("import_groups", "import_profiles", "export_profiles", "export_events", "export_responses")
"""The lists of goals, in running order."""

PlacedGoal = tuple[str, RowRules | ExportGoal | EventExportGoal | ResponseExportGoal]
"""A goal and its place in the declaration, such as `export_events[0]`."""

_OWNER = re.compile(r"team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}", re.DOTALL)
"""What Dagster's catalog accepts as an owner."""


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError(
            "this is not an e-mail address; needed is one such as team@example.com, without a name beside it"
        )
    return text


def _some(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("there is no address; needed is at least one")
    return addresses


Addresses = Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], AfterValidator(_some)]
"""E-mail addresses without names beside them; at least one."""


class Notifications(Declared):
    """Who gets mail about a connection's runs, and about which of them."""

    emails: Addresses
    """E-mail addresses; at least one."""
    on: Literal["failure", "every_run"] = "failure"
    """Mail about failed runs only, or about every run."""

    @model_validator(mode="before")
    @classmethod
    def _on_is_a_word(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was written
        # YAML 1.1, which PyYAML reads, takes the key `on` for "true".
        if not isinstance(given, dict):
            return given
        return {"on" if key is True else key: value for key, value in given.items()}

    def wanted(self, *, failed: bool) -> bool:
        """Whether there shall be mail about a run."""
        return failed or self.on == "every_run"


_NOTIFIED = {"emails": ["team@example.org"], "on": "failure"}


class Watch(Declared):
    """Looks at the server again and again, and runs the connection when files have arrived."""

    every_seconds: Annotated[int, Field(ge=5, le=86400)] = 30
    """Seconds between two looks. A file counts once a second look, after a third of that, finds it as it was."""


class Connection(Declared):
    """What every connection has; the goals are those of its kind."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; prefix of asset keys, job, schedule and sensor."""
    title: str | None = None
    """What people call it."""
    enabled: bool = True
    """Off: no schedule, no sensor; runs by hand only."""
    was: Annotated[str, Field(pattern=NAME_PATTERN)] | None = None
    """Former name of a renamed connection, whose ledger its goals go on with."""
    owners: tuple[str, ...] = ()
    """E-mail addresses or `team:` names, shown in the catalog."""
    objectives: tuple[str, ...] = ()
    """Objectives: only profiles whose consent allows one of them are imported and exported."""
    notifications: Annotated[Notifications | None, Field(examples=[_NOTIFIED])] = None
    """Who gets mail about runs; nobody unless declared."""
    schedule: Annotated[Schedule | None, Field(examples=[{"every_minutes": 15}])] = None
    """When it runs by itself."""
    import_profiles: tuple[ImportRules, ...] = ()
    """Import goals, in running order."""
    export_profiles: tuple[ExportGoal, ...] = ()
    """Export goals, in running order; they run after the imports."""

    @field_validator("owners")
    @classmethod
    def _are_owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for owner in value:
            if not _OWNER.fullmatch(owner):
                raise ValueError(f"found {owner!r}; needed is an e-mail address, or a team such as team:marketing")
        return value

    @model_validator(mode="after")
    def _check(self) -> "Connection":
        if self.name in RESERVED:
            raise ValueError(f"name: {self.name!r} stands for something else in the catalog; choose another")
        if self.was == self.name:
            raise ValueError("was: it is the connection's own name")
        self.verify_names()
        return self

    def verify_names(self) -> None:
        """Verify that goals have names of their own.

        Raises:
            ValueError: Two goals have, or had, one name.
        """
        names: list[str] = []
        for listed in LISTED:
            names += [goal.name for goal in getattr(self, listed, ())]
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{listed}: more than one goal is called {', '.join(repeated)}")
        former = [goal.was for goal in self.goals if goal.was]
        if taken := next((name for name in former if name in names), None):
            raise ValueError(f"was: {taken!r} is the name of another goal; needed is a name that no goal has any more")
        if doubled := next((name for name in former if former.count(name) > 1), None):
            raise ValueError(f"was: more than one goal was called {doubled!r}")

    @property
    def file_watch(self) -> Watch | None:
        """How it looks for new files in between; None where it imports no files, or does not look."""
        return None

    @property
    def report_emails(self) -> tuple[str, ...]:
        """Who gets the report of each import that read or refused a file, whatever `notifications` says."""
        return ()

    @property
    def faults_directory(self) -> str | None:
        """The server's directory for the rows that strict imports refuse; None: they stay in the data folder."""
        return None

    @property
    def server_value(self) -> Any:  # noqa: ANN401 - that of the kind
        """How to reach the platform, which is what its client is made of: those of the attributes that say so."""
        server = kind_of(self).part("server")
        return server(**{name: getattr(self, name) for name in server.model_fields})

    @property
    def group_goals(self) -> tuple[GroupRules, ...]:
        """Goals that import groups, in running order: those of `import_groups`, where the kind has that."""
        return getattr(self, "import_groups", ())

    @property
    def event_exports(self) -> tuple[EventExportGoal, ...]:
        """Goals that export events, in running order: those of `export_events`, where the kind has that."""
        return getattr(self, "export_events", ())

    @property
    def response_exports(self) -> tuple[ResponseExportGoal, ...]:
        """Goals that export responses, in running order: those of `export_responses`, where the kind has that."""
        return getattr(self, "export_responses", ())

    @property
    def imports(self) -> tuple[RowRules, ...]:
        """All import goals, in running order."""
        return (*self.group_goals, *self.import_profiles)

    @property
    def exports(self) -> tuple[ExportGoal | EventExportGoal | ResponseExportGoal, ...]:
        """All export goals, in running order."""
        return (*self.export_profiles, *self.event_exports, *self.response_exports)

    @property
    def goals(self) -> tuple[RowRules | ExportGoal | EventExportGoal | ResponseExportGoal, ...]:
        """All goals, in running order."""
        return (*self.imports, *self.exports)

    @property
    def placed_goals(self) -> Iterator[PlacedGoal]:
        """All goals, each with its place in the declaration, in running order."""
        for listed in LISTED:
            yield from ((f"{listed}[{index}]", goal) for index, goal in enumerate(getattr(self, listed, ())))

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile beside the goals, each as `path: what was found; what is allowed`."""
        yield from ()

    @property
    def active_schedule(self) -> Schedule | None:
        """What starts its runs; None where the connection, or every goal of it, is off."""
        return self.schedule if self.enabled and any(goal.enabled for goal in self.goals) else None

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name


_SERVER = {
    "host": "127.0.0.1",
    "port": 2222,
    "username": "shop",
    "password_env": "SHOP_SFTP_PASSWORD",
    "known_hosts_file": "data/sandbox/known_hosts",
}
_IMPORT = {
    "name": "customers",
    "directory": "/inbox",
    "files": "customers_*.csv",
    "link": [{"field": "Email", "property": "email"}],
    "map": [{"field": "FirstName", "property": "first_name"}],
}
_GROUPS = {
    "name": "stores",
    "type": "store",
    "id": "StoreId",
    "directory": "/inbox",
    "files": "stores_*.csv",
    "map": [{"field": "City", "property": "city"}],
}
_EXPORT = {
    "name": "big_spenders",
    "segment": "big_spenders",
    "directory": "/outbox",
    "map": [{"field": "Email", "property": "email"}, {"field": "Total", "property": "order_total"}],
}


_EVENTS = {
    "name": "opens",
    "events": ["email_opened"],
    "directory": "/outbox",
    "map": [{"field": "Email", "property": "email"}, {"field": "Time", "happened_at": True}],
}

_RESPONSES = {"name": "responses", "directory": "/outbox", "after_hours": 24, "links": "one_file"}


class SftpConnection(Connection):
    """Exchanges delimited files with an SFTP server.

    Every import goal becomes one asset with the steps *scan directory*, *parse files*, *link identifiers* and *upsert
    profiles*, every export goal one with *select segment*, *write file*, *deliver file* and *record delivery*, or
    with *select events* or *select responses*, *write files*, *deliver files* and *record delivery*; the
    connection becomes a job that runs its enabled goals in the order listed.
    """

    server: Annotated[SftpServer, Field(examples=[_SERVER])]
    """How to reach the server, and how to know that it is the right one."""
    watch: Annotated[Watch | None, Field(examples=[{"every_seconds": 30}])] = None
    """Looks for new files in between, and runs when some have arrived."""
    import_groups: Annotated[tuple[FileGroupGoal, ...], Field(examples=[[_GROUPS]])] = ()
    """Goals that import groups, in running order; they run first."""
    import_profiles: Annotated[tuple[FileGoal, ...], Field(examples=[[_IMPORT]])] = ()
    """Import goals, in running order."""
    export_profiles: Annotated[tuple[FileExportGoal, ...], Field(examples=[[_EXPORT]])] = ()
    """Export goals, in running order; they run after the imports."""
    export_events: Annotated[tuple[EventExportGoal, ...], Field(examples=[[_EVENTS]])] = ()
    """Export goals of events, in running order; they run after the exports of profiles."""
    export_responses: Annotated[tuple[ResponseExportGoal, ...], Field(examples=[[_RESPONSES]])] = ()
    """Export goals of the responses to mailings, in running order; they run last."""

    @property
    def imports(self) -> tuple[FileGroupGoal | FileGoal, ...]:
        """All import goals, in running order."""
        return (*self.import_groups, *self.import_profiles)

    @property
    def file_watch(self) -> Watch | None:
        """How it looks for new files in between, if it does."""
        return self.watch

    @property
    def server_value(self) -> SftpServer:
        """How to reach the server."""
        return self.server
