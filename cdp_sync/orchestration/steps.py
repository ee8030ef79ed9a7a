"""The four steps of an import goal, each handing the next a handle: paths, states and counts, never rows."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError, WarehouseLocked, WarehouseUnusable
from cdp_sync.importing import GoalRun, fetch_files, link_identifiers, scan_directory, stage_files, upsert_profiles
from cdp_sync.importing.reporting import record_failure
from cdp_sync.importing.scanning import Choice
from cdp_sync.model import FileReport, GoalReport, ImportGoal, RemoteFile
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.files import choice_of, expect_files, is_backfill, note_files
from cdp_sync.orchestration.goal_steps import GoalSteps, Handle, staged
from cdp_sync.orchestration.metadata import metadata_of
from cdp_sync.orchestration.places import data_folder, remove
from cdp_sync.orchestration.progress import watcher
from cdp_sync.warehouse.ledger import KnownFile, known_files

T = TypeVar("T")


@dataclass(frozen=True)
class ImportSteps(GoalSteps[ImportGoal]):
    """An import goal and the steps that run it."""

    def scan(self, context: dg.OpExecutionContext) -> Handle:
        """List the directory and ask the ledger what is new."""
        started = time.time()
        run = self._run(context)
        data_folder().sweep()
        scanned = self._attempt(context, run, "scanning", lambda: self._scan(context, run, choice_of(context)))
        return {**scanned, "started": started}

    def parse(self, context: dg.OpExecutionContext, scanned: Handle) -> Handle:
        """Fetch the files and parse them into the staging table."""
        handle: Handle = {**{name: scanned[name] for name in ("waiting", "started", "again")}, "staging": None}
        if not scanned["due"]:
            return handle
        run = self._run(context, handle)
        self._attempt(context, run, "fetching and parsing", lambda: self._parse(context, run, scanned))
        remove(run.folder)
        return {**handle, "staging": str(run.staging)}

    def link(self, context: dg.OpExecutionContext, parsed: Handle) -> Handle:
        """Give every row a profile."""
        if parsed["staging"]:
            run = self._run(context, parsed)
            self._attempt(context, run, "linking", lambda: link_identifiers(staged(run)))
        return parsed

    def upsert(self, context: dg.OpExecutionContext, linked: Handle) -> dg.MaterializeResult[Any]:
        """Write the profiles, and say what was done."""
        run = self._run(context, linked)
        report = GoalReport(self.goal.name)
        if linked["staging"]:
            report = self._attempt(context, run, "writing profiles", lambda: upsert_profiles(staged(run)))
            remove(run.staging)
        waiting = (FileReport(path, state, message=message) for path, state, message in linked["waiting"])
        report = report.with_files(waiting)
        report = replace(report, seconds=time.time() - linked["started"])
        watcher().done(self.unique, report)
        context.log.info(report.message)
        return self._tell(context, report)

    def _scan(self, context: dg.OpExecutionContext, run: GoalRun, choice: Choice) -> Handle:
        with run.warehouse.open("read") as session:
            known = known_files(session, run.connection, run.goal.name)
        with self._client(context) as server:
            scan = scan_directory(server, self.goal, known, run.fingerprint, choice)
        expect_files(context, self.connection.name, self.goal.name, scan)
        context.log.info(f"{len(scan.due)} of {len(scan.files)} files are to be imported")
        return {**_scan_handle(scan.due, scan.waiting, known), "again": choice.again}

    def _parse(self, context: dg.OpExecutionContext, run: GoalRun, scanned: Handle) -> None:
        files = [RemoteFile(datetime.fromisoformat(at), path, size) for at, path, size in scanned["due"]]
        known = {path: KnownFile(**_revived(entry)) for path, entry in scanned["known"].items()}
        watcher().expects(self.unique, tuple(files))
        with self._client(context) as server:
            stage_files(run, fetch_files(server, files, run.folder, progress=self._progress), known)

    def _tell(self, context: dg.OpExecutionContext, report: GoalReport) -> dg.MaterializeResult[Any]:
        metadata = metadata_of(report)
        failed, backfill = report.state != "success", is_backfill(context)
        if failed or not backfill:
            note_files(context, self.connection.name, self.goal.name, report.files)
        if backfill or (failed and any(file.state == "imported" for file in report.files)):
            key = [self.connection.name, self.goal.name]
            context.log_event(dg.AssetMaterialization(key, metadata=metadata))
        if failed:
            raise dg.Failure(description=report.message, metadata=metadata, allow_retries=False)
        # Of a backfill Dagster notes this once for each file.
        return dg.MaterializeResult(metadata={} if backfill else metadata)

    def _run(self, context: dg.OpExecutionContext, handle: Handle | None = None) -> GoalRun:
        folder = data_folder()
        staging = Path(handle["staging"]) if handle and handle["staging"] else None
        return GoalRun(
            run_id=context.run_id,
            connection=self.connection.name,
            goal=self.goal,
            profiles=self.profiles,
            warehouse=context.resources.warehouse.warehouse(),
            staging=staging or folder.staging(context.run_id, self.unique),
            downloads=folder.downloads(context.run_id, self.unique),
            objectives=self.connection.objectives,
            again=bool(handle and handle["again"]),
            began=handle["started"] if handle else None,
        )

    def _client(self, context: dg.OpExecutionContext) -> Any:  # noqa: ANN401 - any server that lists and sends files
        return getattr(context.resources, self.server_key).client()

    def _progress(self, file: RemoteFile, arrived: int) -> None:
        watcher().arrived(self.unique, file, arrived)

    def _attempt(self, context: dg.OpExecutionContext, run: GoalRun, doing: str, work: Callable[[], T]) -> T:
        watcher().phase(self.unique, doing)
        return attempt(context.log, work, lambda error: self._give_up(run, error))

    def _give_up(self, run: GoalRun, error: CdpSyncError) -> None:
        remove(run.folder)
        if not isinstance(error, WarehouseUnusable | WarehouseLocked):
            record_failure(run, str(error))
        watcher().done(self.unique, GoalReport(self.goal.name, error=str(error)))


def _scan_handle(due: tuple[RemoteFile, ...], waiting: tuple[FileReport, ...], known: dict[str, KnownFile]) -> Handle:
    paths = {file.path for file in due}
    entries = {path: asdict(entry) for path, entry in known.items() if path in paths}
    return {
        "due": [[file.modified_at.isoformat(), file.path, file.size] for file in due],
        "waiting": [[report.path, report.state, report.message] for report in waiting],
        "known": {path: {**entry, "modified_at": entry["modified_at"].isoformat()} for path, entry in entries.items()},
    }


def _revived(entry: Handle) -> Handle:
    at = datetime.fromisoformat(entry["modified_at"])
    return {**entry, "modified_at": at, "fields": tuple(entry["fields"])}
