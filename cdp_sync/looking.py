"""What `scan`, `segment` and `export --preview` show: what a run would find and make of it. Nothing is changed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdp_sync.components.declarations import Declarations
from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import UnknownName
from cdp_sync.exporting import ExportRun
from cdp_sync.exporting.preview import ExportPreview, preview_export
from cdp_sync.exporting.segments import SegmentView, view_segment
from cdp_sync.importing import Scan, ScannedFile, scan_directory
from cdp_sync.importing.preview import Preview, preview
from cdp_sync.model import ImportGoal, fingerprint
from cdp_sync.orchestration.places import data_folder
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.ledger import known_files

_PREVIEWED = 1
_HEAD = 256 << 10


@dataclass(frozen=True)
class Look:
    """A goal's files, and a preview of the first that is due."""

    goal: str
    files: tuple[ScannedFile, ...]
    previews: tuple[Preview, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the look as `scan --json` shows it."""
        files = [
            {"path": f.remote.path, "size": f.remote.size, "modified_at": f.remote.modified_at, "state": f.state}
            for f in self.files
        ]
        return {"goal": self.goal, "files": files, "previews": [each.to_json() for each in self.previews]}


def look(declarations: Declarations, connection: str, goal: ImportGoal) -> Look:
    """Look at a goal's directory and preview a file; nothing is imported, nothing waited for."""
    warehouse = Warehouse(data_folder().warehouse)
    with warehouse.open("read") as session:
        known = known_files(session, connection, goal.name)
    declared = declarations.connection(connection)
    with SftpClient(declared.server) as client:
        digest = fingerprint(goal, declarations.profiles, declared.objectives)
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
        run = ExportRun(
            run_id="preview",
            connection=connection,
            goal=declarations.export_goal(connection, goal),
            profiles=declarations.profiles,
            objectives=declared.objectives,
            warehouse=Warehouse(data_folder().warehouse),
            staging=Path(folder, "export.duckdb"),
            folder=Path(folder),
            now=datetime.now(UTC),
        )
        return preview_export(run)
