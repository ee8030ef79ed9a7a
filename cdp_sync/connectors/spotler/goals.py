"""What an author declares of Spotler's exchange: the server, strict imports of contacts, and who gets their reports.

An import becomes an ordinary import goal over files. Of several rows with one address the last one counts; the
destination is a mapping of its own: a static list is a value of a list property, the suppression list a truth value.
"""

import json
from collections.abc import Iterator
from posixpath import normpath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from cdp_sync.calling import call
from cdp_sync.model.connection import Addresses, Connection, Watch
from cdp_sync.model.declared import Declared
from cdp_sync.model.expected_file import Expected, StrictGoal
from cdp_sync.model.export import FileExportGoal
from cdp_sync.model.format import Format
from cdp_sync.model.goal import Files, ImportRules, Mapping
from cdp_sync.model.processor import Processor
from cdp_sync.model.profile import Profiles
from cdp_sync.model.response_export import ResponseExportGoal
from cdp_sync.model.server import SftpServer
from cdp_sync.model.suggestion import allowed

_DESTINATION = "(destination)"
"""The field that holds the list's name, or says that a contact is suppressed."""
_DROPPING = ("filter", "first_rows", "drop_duplicates", "python")
"""Processors that may drop rows: of the rows that they drop, the report could not say why."""


class StaticList(Declared):
    """A static list that the imported contacts are put on."""

    list: Annotated[str, Field(min_length=1)]
    """The list's name, which segments ask for: `{property: static_lists, contains_any: [NAME]}`."""


Destination = Literal["contacts", "suppression"] | StaticList


def _no_root(directory: str) -> str:
    if normpath(directory).strip("/") in ("", "."):
        raise ValueError(
            "found the root directory, or that of the account; needed is a directory for faults files alone"
        )
    return directory


class ImportMail(Declared):
    """Who gets the report of an import, and where refused rows go."""

    emails: Addresses
    """E-mail addresses; at least one."""
    faults_directory: Annotated[str, AfterValidator(_no_root)] | None = None
    """Directory on the server for faults files; absent: `reports` in the data folder."""


class SpotlerImport(Files, ImportRules):
    """Imports contacts from files that have to be like the one that was learned.

    `cdp-sync learn` fixes the names of columns, the type of the file, the separator, and where cells may be empty.
    """

    format: Format = Format()
    """How the files are written."""
    destination: Destination = "contacts"
    """All contacts, `{list: NAME}`, a static list, or `suppression`."""
    list_property: str = "static_lists"
    """Property of text with `multiple: true` that holds the names of a contact's static lists."""
    suppressed_property: str = "suppressed"
    """Boolean property that is true for contacts on the suppression list."""
    zip: bool = False
    """Whether the files are zip archives."""
    max_megabytes: Annotated[int, Field(ge=1, le=1000)] = 20
    """Largest file, in millions of bytes as it is delivered."""

    @model_validator(mode="after")
    def _drops_no_rows(self) -> "SpotlerImport":
        for index, processor in enumerate(self.processors):
            if processor.name in _DROPPING:
                raise ValueError(f"processors[{index}]: found {processor.name}; a strict import drops no rows")
        if not self.link:
            raise ValueError("link: nothing says whose the rows are; needed is at least the address")
        self._verify_rows_can_come_back()
        between = self.format.multi_value
        if between and isinstance(self.destination, StaticList) and between in self.destination.list:
            raise ValueError(f"destination: the list's name holds {between!r}, which `multi_value` splits at")
        if not self.format.header or self.format.trailer or self.format.record_type:
            raise ValueError("format: a strict import has files with a header, and without trailer and record_type")
        return self

    def _verify_rows_can_come_back(self) -> None:
        """Verify that a row may land a second time, corrected: one that landed without a refused value comes back.

        Raises:
            ValueError: It would add an amount again, or be another event.
        """
        for index, mapping in enumerate(self.map):
            if mapping.mode == "sum":
                raise ValueError(
                    f"map[{index}].mode: found sum; a row that comes back corrected would be added again. Needed is "
                    "another mode"
                )
        for index, event in enumerate(self.events):
            if not event.id:
                raise ValueError(
                    f"events[{index}].id: a row that comes back corrected would be another event; needed is an id"
                )

    def importing(self, connection: Connection, profiles: Profiles) -> StrictGoal:
        """Return the goal as the engine imports it."""
        rules = {name: getattr(self, name) for name in (*Files.model_fields, *ImportRules.model_fields)}
        learning = call(f"learn {connection.name} FILE --goal {self.name}")
        form = self.format
        if form.is_workbook:
            form = form.model_copy(update={"max_megabytes": self.max_megabytes})
        return StrictGoal(
            **rules
            | {
                "format": form,
                "map": (*self.map, *self._mapped()),
                "processors": (*self.processors, *self._steps(profiles)),
                "strict": Expected(zip=self.zip, max_megabytes=self.max_megabytes, call=learning),
            }
        )

    def _mapped(self) -> Iterator[Mapping]:
        if isinstance(self.destination, StaticList):
            yield Mapping(field=_DESTINATION, property=self.list_property, mode="add")
        elif self.destination == "suppression":
            yield Mapping(field=_DESTINATION, property=self.suppressed_property)

    def _steps(self, profiles: Profiles) -> Iterator[Processor]:
        address = self.address(profiles)
        yield Processor.model_validate({"clean_email": {"field": address}})
        yield Processor.model_validate({"drop_duplicates": {"field": address, "keep": "last"}})
        if self.destination != "contacts":
            yield Processor.model_validate({"add_value": {"field": _DESTINATION, "value": self._value()}})

    def _value(self) -> str:
        """Return what the destination is written as, so that the format reads it."""
        if isinstance(self.destination, StaticList):
            return json.dumps([self.destination.list]) if self.format.json_lists else self.destination.list
        return self.format.booleans.true[0] if self.format.booleans else "true"

    def address(self, profiles: Profiles) -> str:
        """Return the linked field that holds the address; the first one where none is linked to an e-mail property."""
        types = {prop.name: prop.type for prop in profiles.every}
        addresses = (link.field for link in self.link if types.get(link.property) == "email")
        return next(addresses, self.link[0].field)

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from super().problems(profiles)
        linked = {link.property for link in self.link}
        if not any(prop.type == "email" for prop in profiles.properties if prop.name in linked):
            yield "link: no field names an e-mail property; needed is one, as contacts are known by their address"
        if isinstance(self.destination, StaticList):
            yield from self._destination_problem(profiles, "list_property", self.list_property, "text", multiple=True)
        elif self.destination == "suppression":
            yield from self._destination_problem(profiles, "suppressed_property", self.suppressed_property, "boolean")

    def _destination_problem(
        self, profiles: Profiles, key: str, name: str, kind: str, *, multiple: bool = False
    ) -> Iterator[str]:
        prop = profiles.by_name.get(name)
        needed = f"{{name: {name}, type: {kind}{', multiple: true' if multiple else ''}}}"
        if prop is None:
            yield f"{key}: {name!r} is unknown; declare the property {needed}, or {allowed(name, profiles.by_name)}"
        elif prop.type != kind or prop.multiple != multiple:
            yield f"{key}: {name} is declared otherwise; needed is {needed}"


_SERVER = {
    "host": "127.0.0.1",
    "port": 2222,
    "username": "shop",
    "password_env": "SHOP_SFTP_PASSWORD",
    "known_hosts_file": "data/sandbox/known_hosts",
}
_IMPORT = {
    "name": "contacts",
    "directory": "/import",
    "files": "contacts*.csv",
    "link": [{"field": "Email", "property": "email"}],
    "map": [{"field": "FirstName", "property": "first_name"}],
}


class SpotlerExchange(Connection):
    """Imports contacts from files on an SFTP server as Spotler does: strictly, and with a report by mail.

    Every import goal becomes one asset with the steps *scan directory*, *parse files*, *link identifiers* and *upsert
    profiles*; the connection becomes a job that runs its enabled goals in the order listed.
    """

    server: Annotated[SftpServer, Field(examples=[_SERVER])]
    """How to reach the server, and how to know that it is the right one."""
    watch: Annotated[Watch | None, Field(examples=[{"every_seconds": 30}])] = None
    """Looks for new files in between, and runs when some have arrived."""
    report: Annotated[ImportMail | None, Field(examples=[{"emails": ["lists@example.org"]}])] = None
    """Who gets the report of each import; nobody unless declared."""
    import_profiles: Annotated[tuple[SpotlerImport, ...], Field(examples=[[_IMPORT]])] = ()
    """Import goals, in running order."""
    export_profiles: tuple[FileExportGoal, ...] = ()
    """Export goals, in running order; they run after the imports."""
    export_responses: tuple[ResponseExportGoal, ...] = ()
    """Export goals of the responses to mailings, in running order; they run last."""

    @model_validator(mode="after")
    def _faults_stay_apart(self) -> "SpotlerExchange":
        directory = self.faults_directory
        for goal in self.import_profiles:
            if directory is not None and normpath(goal.directory) == normpath(directory):
                raise ValueError(
                    f"report.faults_directory: the goal {goal.name} reads files in {directory}, and would import "
                    "refused rows before they are corrected; needed is another directory"
                )
        return self

    @property
    def faults_directory(self) -> str | None:
        """The server's directory for faults files; None where they stay in the data folder."""
        return self.report.faults_directory if self.report else None

    @property
    def report_emails(self) -> tuple[str, ...]:
        """Who gets the report of each import."""
        return self.report.emails if self.report else ()

    @property
    def file_watch(self) -> Watch | None:
        """How it looks for new files in between, if it does."""
        return self.watch

    @property
    def server_value(self) -> SftpServer:
        """How to reach the server."""
        return self.server
