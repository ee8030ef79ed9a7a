"""What `run --preview` shows: the goals of a connection run on a copy of the warehouse. Nothing else is written.

Files and people are fetched as in a run, into a folder that is removed at the end. Goals run in a row on one copy, so
that each finds what those before it would have brought.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from cdp_sync.errors import CdpSyncError, UnknownName
from cdp_sync.exporting.preview import ExportPreview
from cdp_sync.importing import ImportRun, fetch_files, scan_directory
from cdp_sync.importing.pipeline import import_files, import_people
from cdp_sync.importing.run import refuse_rivals
from cdp_sync.importing.sources.scanning import Choice
from cdp_sync.inspection import look_at_export, reader_of
from cdp_sync.lifecycles import keep_stages
from cdp_sync.model import Connection, FetchedFile, FileGoal, ImportReport, RemoteFile, RowRules, kind_of
from cdp_sync.model.asked import lifecycles_read
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.backend import NEW
from cdp_sync.warehouse.learned import learned_goal
from cdp_sync.warehouse.ledger import known_files
from cdp_sync.warehouse.renaming import adopt

_BEGINNING = 1 << 10
"""Bytes that show how a file is read."""


@dataclass(frozen=True)
class DryRun:
    """What a run would do.

    Args:
        imports: What each import goal would do.
        exports: What each export goal would deliver after that.
    """

    imports: tuple[ImportReport, ...]
    exports: tuple[ExportPreview, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether no goal would fail."""
        return all(report.state != "failed" for report in self.imports)

    def to_json(self) -> dict[str, Any]:
        """Return the dry run as `run --preview --json` shows it."""
        goals = [*(report.to_json() for report in self.imports), *(each.to_json() for each in self.exports)]
        return {"preview": True, "state": "success" if self.fine else "failed", "goals": goals}


def dry_run(
    declarations: Declarations, connection: str, goal: str | None, choice: Choice, *, local: Path | None = None
) -> DryRun:
    """Return what a run of a connection would do, or of one goal of it.

    With a `local` file, import goals get this file in place of their own, as if it were delivered, and no server is
    asked. As in a run, exports are left out where files are chosen.

    Raises:
        UnknownName: No such connection or goal.
    """
    declared = declarations.connection(connection)
    chosen = local is not None or choice.again or choice.pattern != "*"
    imports = _chosen(declared, declared.imports, goal)
    exports = () if chosen else _chosen(declared, declared.exports, goal)
    if goal is not None and not (imports or exports):
        names = [each.name for each in (*declared.imports, *(() if chosen else declared.exports))]
        raise UnknownName(f"Connection {connection} has no goal {goal!r} to preview.", needed=one_of(goal, names))
    with _copied(project_warehouse()) as warehouse:
        reports = tuple(_import(declarations, declared, each, choice, warehouse, local) for each in imports)
        for each in exports:
            adopt(warehouse, (connection, each.name), (declared.was, each.was))
        _keep_stages(declarations, exports, warehouse)
        previews = tuple(look_at_export(declarations, connection, each.name, warehouse) for each in exports)
    return DryRun(reports, previews)


def _keep_stages(declarations: Declarations, exports: Iterable[Any], warehouse: Warehouse) -> None:
    """Keep the stages of the lifecycles that are on and that these export goals read, as a run does before them."""
    profiles = declarations.profiles
    read = dict.fromkeys(name for goal in exports for name in lifecycles_read(goal, profiles))
    if kept := [name for name in read if profiles.lifecycle[name].enabled]:
        with warehouse.open("write") as session:
            for name in kept:
                keep_stages(session, profiles, profiles.lifecycle[name], datetime.now(UTC))


def _chosen(connection: Connection, goals: tuple[Any, ...], name: str | None) -> tuple[Any, ...]:
    """Return the goal of that name, or the enabled ones."""
    return tuple(each for each in goals if (each.name == name if name is not None else each.enabled))


@contextmanager
def _copied(warehouse: Warehouse) -> Iterator[Warehouse]:
    """Yield a copy of a warehouse, in a folder beside it that is removed at the end."""
    with TemporaryDirectory(dir=private_folder(warehouse.path.parent), prefix=NEW) as folder:
        copy = Path(folder, "warehouse.duckdb")
        warehouse.copy_to(copy)
        yield Warehouse(copy, warehouse.lock_timeout, warehouse.memory_limit)


def _import(
    declarations: Declarations,
    connection: Connection,
    goal: RowRules,
    choice: Choice,
    warehouse: Warehouse,
    local: Path | None,
) -> ImportReport:
    """Return what an import goal does on this warehouse."""
    folder = warehouse.path.parent
    run = ImportRun(
        run_id="preview",
        connection=connection.name,
        goal=goal.importing(connection, declarations.profiles),
        profiles=declarations.profiles,
        warehouse=warehouse,
        staging=folder / f"{goal.name}.staging",
        downloads=folder / f"{goal.name}.files",
        objectives=connection.objectives,
        again=choice.again,
    )
    adopt(warehouse, (connection.name, goal.name), (connection.was, goal.was))
    run = replace(run, goal=learned_goal(warehouse, connection.name, run.goal))
    try:
        if local is not None:
            return import_files(run, [_delivered(connection, goal, local)])
        kind = kind_of(connection)
        with kind.part("client")(connection.server_value) as client:
            if kind.source:
                return import_people(run, kind.part("source")(client, goal))
            return _import_files(run, client, cast("FileGoal", run.goal), choice)
    except CdpSyncError as error:
        return ImportReport(goal.name, error=str(error))


def _delivered(connection: Connection, goal: RowRules, local: Path) -> FetchedFile:
    """Return a file as if it were delivered: to the goal's directory, if it has one."""
    stat = local.stat()
    remote = RemoteFile(datetime.fromtimestamp(stat.st_mtime, UTC), goal.path_of(local), stat.st_size)
    with local.open("rb") as file:
        reader = reader_of(connection, file.read(_BEGINNING))
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FetchedFile(remote, local, sha256, reader=reader)


def _import_files(run: ImportRun, client: Any, goal: FileGoal, choice: Choice) -> ImportReport:  # noqa: ANN401 - of any server
    """Import the files that are due, without waiting until they settle."""
    settled = goal.model_copy(update={"complete": goal.complete.model_copy(update={"settle_seconds": 0})})
    with run.warehouse.open("read") as session:
        known = known_files(session, run.connection, goal.name)
    scan = scan_directory(client, settled, known, run.fingerprint, choice)
    refuse_rivals(run, [(file.path, file.size, file.modified_at) for file in scan.due])
    report = import_files(run, fetch_files(client, scan.due, run.folder), known)
    return report.with_files(scan.waiting)
