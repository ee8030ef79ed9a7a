"""What `scan`, `segment` and `export --preview` show: what a run would find and make of it. Nothing is changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import UnknownName
from cdp_sync.exporting import FileRun, UserRun
from cdp_sync.exporting.preview import ExportPreview, preview_export
from cdp_sync.exporting.segments import SegmentView, view_segment
from cdp_sync.importing import Scan, ScannedFile, scan_directory
from cdp_sync.importing.preview import Preview, preview
from cdp_sync.model import (
    Connection,
    FileGoal,
    ImportRules,
    ListGoal,
    SailthruConnection,
    SftpConnection,
    UserExportGoal,
    fingerprint,
)
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.orchestration.places import data_folder
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.ledger import known_files
from cdp_sync.warehouse.renaming import names_before

_PREVIEWED = 1
_HEAD = 256 << 10
_PATIENCE = 5.0


@dataclass(frozen=True)
class Look:
    """A goal's files, and a preview of the first that is due."""

    goal: str
    files: tuple[ScannedFile, ...]
    previews: tuple[Preview, ...]

    @property
    def summary(self) -> str:
        """How much there is."""
        return f"{len(self.files):,} files, {sum(file.due for file in self.files):,} to import"

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """The files for people: the columns' names, and the rows."""
        rows: list[tuple[object, ...]] = [
            (file.remote.path, file.state, file.remote.size, f"{file.remote.modified_at:%Y-%m-%d %H:%M:%S}")
            for file in self.files
        ]
        return ("file", "state", "bytes", "modified (UTC)"), rows

    def to_json(self) -> dict[str, Any]:
        """Return the look as `scan --json` shows it."""
        files = [
            {"path": f.remote.path, "size": f.remote.size, "modified_at": f.remote.modified_at, "state": f.state}
            for f in self.files
        ]
        return {"goal": self.goal, "files": files, "previews": [each.to_json() for each in self.previews]}


@dataclass(frozen=True)
class ListLook:
    """A goal's lists, as the platform tells of them. What fields they have shows when they are exported."""

    goal: str
    lists: tuple[tuple[str, str, int | None], ...]
    """Each list's name; natural, smart or not there; how many are on it."""
    previews: tuple[Preview, ...] = ()

    @property
    def summary(self) -> str:
        """How much there is."""
        people = sum(count or 0 for *_, count in self.lists)
        return f"{len(self.lists):,} list{'' if len(self.lists) == 1 else 's'}, {people:,} people"

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """The lists for people: the columns' names, and the rows."""
        return ("list", "kind", "people"), [*self.lists]

    def to_json(self) -> dict[str, Any]:
        """Return the look as `scan --json` shows it."""
        lists = [{"list": name, "kind": kind, "people": count} for name, kind, count in self.lists]
        return {"goal": self.goal, "lists": lists}


def reach(connection: Connection) -> Iterator[tuple[str, bool]]:
    """Reach what a connection is about; yield in sentences what was found, and whether that is as it should be."""
    if isinstance(connection, SftpConnection):
        with SftpClient(connection.server) as server:
            for directory in dict.fromkeys(goal.directory for goal in connection.file_goals):
                yield f"{directory}: {len(server.list_directory(directory)):,} files.", True
    elif isinstance(connection, SailthruConnection):
        from cdp_sync.connectors.sailthru import SailthruClient

        with SailthruClient(connection.account) as client:
            for finding in client.check():
                yield f"{finding.subject}: {finding.problem or 'in order.'}", finding.fine


def look(declarations: Declarations, connection: str, goal: ImportRules) -> Look | ListLook:
    """Look at what a goal would import; nothing is imported, nothing waited for."""
    declared = declarations.connection(connection)
    if isinstance(declared, SailthruConnection) and isinstance(goal, ListGoal):
        return _look_at_lists(declared, goal)
    assert isinstance(declared, SftpConnection) and isinstance(goal, FileGoal)  # noqa: S101, PT018 - the kinds there are
    return _look_at_files(declarations, declared, goal)


def _look_at_lists(connection: SailthruConnection, goal: ListGoal) -> ListLook:
    from cdp_sync.connectors.sailthru import SailthruClient

    with SailthruClient(connection.account) as client:
        found = {each.name: (each.name, each.kind, each.count) for each in client.lists()}
    return ListLook(goal.name, tuple(found.get(name, (name, "not there", None)) for name in goal.lists))


def _look_at_files(declarations: Declarations, connection: SftpConnection, goal: FileGoal) -> Look:
    """Look at a goal's directory and preview a file."""
    warehouse = Warehouse(data_folder().warehouse)
    with warehouse.open("read") as session:
        known = known_files(session, connection.name, goal.name)
        for before in names_before((connection.name, goal.name), (connection.was, goal.was)):
            known = known_files(session, *before) | known
    with SftpClient(connection.server) as client:
        digest = fingerprint(goal, declarations.profiles, connection.objectives)
        at_once = goal.model_copy(update={"complete": goal.complete.model_copy(update={"settle_seconds": 0})})
        scan = scan_directory(client, at_once, known, digest)
        chosen = _chosen(scan)
        heads = [(file.remote.path, client.read_head(file.remote.path, _HEAD)) for file in chosen]
    previews = (preview(path, head, goal, declarations.profiles, warehouse) for path, head in heads)
    return Look(goal.name, scan.files, tuple(previews))


def _chosen(scan: Scan) -> list[ScannedFile]:
    """Return what to preview: the first file that is due, or else the last one known."""
    due = [file for file in scan.files if file.due]
    return (due or list(scan.files[-1:]))[:_PREVIEWED]


def look_at_segment(declarations: Declarations, name: str) -> SegmentView:
    """Count a segment, with a sample of its profiles.

    Raises:
        UnknownName: No such segment is declared.
    """
    names = [segment.name for segment in declarations.profiles.segments]
    if name not in names:
        raise UnknownName(f"There is no segment {name!r}.", needed=f"One of: {', '.join(names) or 'none is declared'}.")
    with Warehouse(data_folder().warehouse).open("read") as session:
        return view_segment(session, declarations.profiles, name, datetime.now(UTC))


def look_at_export(declarations: Declarations, connection: str, goal: str) -> ExportPreview:
    """Work out what an export goal would deliver now."""
    declared = declarations.connection(connection)
    with TemporaryDirectory() as folder:
        found = declarations.export_goal(connection, goal)
        kind: Any = UserRun if isinstance(found, UserExportGoal) else FileRun
        run = kind(
            run_id="preview",
            connection=connection,
            goal=found,
            profiles=declarations.profiles,
            objectives=declared.objectives,
            warehouse=Warehouse(data_folder().warehouse),
            staging=Path(folder, "export.duckdb"),
            folder=Path(folder),
            now=datetime.now(UTC),
        )
        return preview_export(run)
