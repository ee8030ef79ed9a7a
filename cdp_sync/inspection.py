"""What `scan`, `segment` and `export --preview` show: what a run would find and make of it. Nothing is changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdp_sync.errors import CdpSyncError, RemoteListingTooLong, RemotePathMissing, RemotePermissionDenied, UnknownName
from cdp_sync.exporting import FileRun, UserRun
from cdp_sync.exporting.preview import ExportPreview, preview_export
from cdp_sync.importing import ScannedFile, scan_directory
from cdp_sync.importing.preview import Preview, preview
from cdp_sync.importing.sources.port import Source
from cdp_sync.model import (
    Connection,
    FileGoal,
    ImportGoal,
    ImportRules,
    Profiles,
    RemoteFile,
    SourceLook,
    fingerprint,
    kind_of,
)
from cdp_sync.model.counting import counted
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.segments.membership import SegmentView, view_segment
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.ledger import known_files
from cdp_sync.warehouse.properties import profile_columns, type_problems
from cdp_sync.warehouse.renaming import names_before
from cdp_sync.warehouse.rivals import rival_problem

_HEAD = 256 << 10
"""Bytes that are read of a file; one that is no larger is parsed as a whole."""
_OF_ONE_DIRECTORY = (RemotePathMissing, RemotePermissionDenied, RemoteListingTooLong)
"""What is wrong with one directory, and not with the others of a server."""


@dataclass(frozen=True)
class Look:
    """A goal's files, and previews of those that are due, up to a limit."""

    goal: str
    files: tuple[ScannedFile, ...]
    previews: tuple[Preview, ...]
    refusal: str = ""
    """Why a run would refuse the goal, whatever is in its files."""
    listed: bool = True
    """Whether its directory could be listed."""

    @property
    def summary(self) -> str:
        """How much there is."""
        due = sum(file.due for file in self.files)
        return f"{counted(len(self.files), 'file')}, {due:,} to import"

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """The files for people: the columns' names, and the rows."""
        refused = {True: "yes", False: "no", None: ""}
        rows: list[tuple[object, ...]] = []
        for f in self.files:
            at = f"{f.remote.modified_at:%Y-%m-%d %H:%M:%S}"
            rows.append((f.remote.path, f.state, refused[self.refused(f)], f.remote.size, at))
        return ("file", "state", "would be refused", "bytes", "modified (UTC)"), rows

    def refused(self, file: ScannedFile) -> bool | None:
        """Return whether a run would refuse a file; None where that was not looked at or does not show."""
        if self.refusal and file.due:
            return True
        return next((each.refused for each in self.previews if each.path == file.remote.path), None)

    def to_json(self) -> dict[str, Any]:
        """Return the look as `scan --json` shows it."""
        files = [
            {"path": f.remote.path, "size": f.remote.size, "modified_at": f.remote.modified_at, "state": f.state}
            | {"refused": self.refused(f)}
            for f in self.files
        ]
        previews = [each.to_json() for each in self.previews]
        return {"goal": self.goal, "refused": self.refusal, "files": files, "previews": previews}


@dataclass(frozen=True)
class ListLook:
    """What a platform has for a goal. Which fields that has shows when it is fetched."""

    goal: str
    found: SourceLook
    previews: tuple[Preview, ...] = ()
    refusal: str = ""
    """Why a run would refuse the goal, whatever there is."""
    listed: bool = True
    """Whether it could be listed."""

    @property
    def summary(self) -> str:
        """How much there is."""
        return self.found.summary

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """What there is, for people: the columns' names, and the rows."""
        return self.found.columns, [*self.found.rows]

    def to_json(self) -> dict[str, Any]:
        """Return the look as `scan --json` shows it."""
        tables = {
            f"{found.noun}s": [dict(zip(found.columns, row, strict=True)) for row in found.rows]
            for found in (self.found, *self.found.further)
        }
        return {"goal": self.goal, "refused": self.refusal, **tables}

    @property
    def further(self) -> tuple[SourceLook, ...]:
        """What else the platform has."""
        return self.found.further


def look(declarations: Declarations, connection: str, goal: ImportRules, *, limit: int = 10) -> Look | ListLook:
    """Look at what a goal would import, and whether a run would refuse it; nothing is imported, nothing waited for."""
    declared: Any = declarations.connection(connection)
    if kind_of(declared).source:
        kind = kind_of(declared)
        with kind.part("client")(declared.server_value) as client:
            source: Source = kind.part("source")(client, goal)
            with project_warehouse().open("read") as session:
                due = [(path, None, None) for path in source.paths]
                rules = goal.importing(declared, declarations.profiles)
                refusal = _refusal(session, declarations.profiles, declared, rules, due, goal.was)
            return ListLook(goal.name, source.look(), refusal=refusal)
    importing: Any = goal
    return _look_at_files(declarations.profiles, declared, importing, limit)


def _look_at_files(profiles: Profiles, connection: Connection, goal: FileGoal, limit: int) -> Look:
    """Look at a goal's directory, and into its first files."""
    warehouse = project_warehouse()
    with warehouse.open("read") as session:
        known = known_files(session, connection.name, goal.name)
        for before in names_before((connection.name, goal.name), (connection.was, goal.was)):
            known = known_files(session, *before) | known
        stored = profile_columns(session)
    at_once = goal.model_copy(update={"complete": goal.complete.model_copy(update={"settle_seconds": 0})})
    with kind_of(connection).part("client")(connection.server_value) as client:
        try:
            scan = scan_directory(client, at_once, known, fingerprint(goal, profiles, connection.objectives))
        except _OF_ONE_DIRECTORY as error:
            return Look(goal.name, (), (), refusal=str(error), listed=False)
        chosen = [file for file in scan.files if file.due] or scan.files[-1:]
        previews = [_look_into(client, file.remote, goal, profiles, warehouse, stored) for file in chosen[:limit]]
    due = [(file.path, file.size, file.modified_at) for file in scan.due]
    with warehouse.open("read") as session:
        refusal = _refusal(session, profiles, connection, goal, due, goal.was)
    return Look(goal.name, scan.files, tuple(previews), refusal)


def _look_into(
    client: Any,  # noqa: ANN401 - that of the kind
    file: RemoteFile,
    goal: FileGoal,
    profiles: Profiles,
    warehouse: Warehouse,
    stored: Mapping[str, str],
) -> Preview:
    try:
        head = client.read_head(file.path, _HEAD)
    except RemotePathMissing as error:  # taken away after the listing: a run would leave it out
        return Preview(file.path, message=str(error))
    except RemotePermissionDenied as error:
        return Preview(file.path, message=str(error), refused=True)
    return preview(file.path, head, goal, profiles, warehouse, whole=len(head) >= file.size, stored=stored)


def _refusal(
    session: Session,
    profiles: Profiles,
    connection: Connection,
    goal: ImportGoal,
    due: Iterable[tuple[str, int | None, datetime | None]],
    was: str | None,
) -> str:
    """Return why a run would refuse a goal for what the warehouse holds."""
    former = names_before((connection.name, goal.name), (connection.was, was))
    rival = rival_problem(session, connection.name, goal, due, former=former)
    problems: list[CdpSyncError | None] = [*type_problems(profiles, profile_columns(session)), rival]
    return " ".join(str(problem) for problem in problems if problem)


def look_at_segment(declarations: Declarations, name: str) -> SegmentView:
    """Count a segment, with a sample of its profiles.

    Raises:
        UnknownName: No such segment is declared.
    """
    names = [segment.name for segment in declarations.profiles.segments]
    if name not in names:
        raise UnknownName(f"There is no segment {name!r}.", needed=one_of(name, names))
    with project_warehouse().open("read") as session:
        return view_segment(session, declarations.profiles, name, datetime.now(UTC))


def look_at_export(declarations: Declarations, connection: str, goal: str) -> ExportPreview:
    """Work out what an export goal would deliver now."""
    declared = declarations.connection(connection)
    with TemporaryDirectory() as folder:
        found: Any = declarations.export_goal(connection, goal)
        run = (UserRun if kind_of(declared).audience else FileRun)(
            run_id="preview",
            connection=connection,
            goal=found,
            profiles=declarations.profiles,
            objectives=declared.objectives,
            warehouse=project_warehouse(),
            staging=Path(folder, "export.duckdb"),
            folder=Path(folder),
            now=datetime.now(UTC),
        )
        return preview_export(run)
