"""The four steps of an import goal, each handing the next a handle: paths, states and counts, never rows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from cdp_sync.errors import CdpSyncError, Transient, WarehouseUnusable
from cdp_sync.importing import GoalRun, fetch_files, link_identifiers, scan_directory, stage_files, upsert_profiles
from cdp_sync.importing.reporting import record_failure
from cdp_sync.model import Connection, FileReport, GoalReport, ImportGoal, Profiles, RemoteFile
from cdp_sync.orchestration.failures import RETRIES, failure, retry
from cdp_sync.orchestration.metadata import metadata_of
from cdp_sync.orchestration.places import data_folder, remove
from cdp_sync.orchestration.progress import watcher
from cdp_sync.warehouse.ledger import KnownFile, known_files

Handle = dict[str, Any]


@dataclass(frozen=True)
class ImportSteps:
    """An import goal and the steps that run it."""

    connection: Connection
    goal: ImportGoal
    profiles: Profiles

    @property
    def unique(self) -> str:
        """A name that no other goal of the project has."""
        return f"{self.connection.name}__{self.goal.name}"

    @property
    def server_key(self) -> str:
        """Resource key of the connection's server."""
        return f"{self.connection.name}_server"

    def scan(self, context: dg.OpExecutionContext) -> Handle:
        """List the directory and ask the ledger what is new."""
        run = self._run(context)
        data_folder().sweep()
        with self._told(context, run, "scanning"):
            with run.warehouse.open("read") as session:
                known = known_files(session, run.connection, run.goal.name)
            with self._client(context) as server:
                scan = scan_directory(server, self.goal, known, run.fingerprint)
            context.log.info(f"{len(scan.due)} of {len(scan.files)} files are to be imported")
            return _scan_handle(scan.due, scan.waiting, known)

    def parse(self, context: dg.OpExecutionContext, scanned: Handle) -> Handle:
        """Fetch the files and parse them into the staging table."""
        files = [RemoteFile(datetime.fromisoformat(at), path, size) for at, path, size in scanned["due"]]
        handle: Handle = {"waiting": scanned["waiting"], "started": scanned["started"], "staging": None}
        if not files:
            return handle
        run = self._run(context)
        with self._told(context, run, "fetching and parsing"):
            known = {path: KnownFile(**_revived(entry)) for path, entry in scanned["known"].items()}
            watcher().expects(self.unique, tuple(files))
            with self._client(context) as server:
                arrivals = fetch_files(server, files, run.folder, progress=self._progress)
                stage_files(run, arrivals, known)
            remove(run.folder)
        return {**handle, "staging": str(run.staging)}

    def link(self, context: dg.OpExecutionContext, parsed: Handle) -> Handle:
        """Give every row a profile."""
        if parsed["staging"]:
            run = self._run(context, parsed)
            with self._told(context, run, "linking"):
                link_identifiers(run)
        return parsed

    def upsert(self, context: dg.OpExecutionContext, linked: Handle) -> dg.MaterializeResult[Any]:
        """Write the profiles, and say what was done."""
        run = self._run(context, linked)
        with self._told(context, run, "writing profiles"):
            report = upsert_profiles(run) if linked["staging"] else GoalReport(self.goal.name)
        report = report.with_files(FileReport(path, state) for path, state in linked["waiting"])
        report = replace(report, goal=self.goal.name, seconds=time.time() - linked["started"])
        if linked["staging"]:
            remove(run.staging)
        watcher().done(self.unique, report)
        context.log.info(report.message)
        return self._tell(context, report)

    def _tell(self, context: dg.OpExecutionContext, report: GoalReport) -> dg.MaterializeResult[Any]:
        metadata = metadata_of(report)
        if report.state == "success":
            return dg.MaterializeResult(metadata=metadata)
        if any(file.state == "imported" for file in report.files):
            key = [self.connection.name, self.goal.name]
            context.log_event(dg.AssetMaterialization(key, metadata=metadata))
        raise dg.Failure(description=report.message, metadata=metadata, allow_retries=False)

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
        )

    def _client(self, context: dg.OpExecutionContext) -> Any:  # noqa: ANN401 - any server that lists and sends files
        return getattr(context.resources, self.server_key).client()

    def _progress(self, file: RemoteFile, arrived: int) -> None:
        watcher().arrived(self.unique, file, arrived)

    @contextmanager
    def _told(self, context: dg.OpExecutionContext, run: GoalRun, doing: str) -> Iterator[None]:
        """Turn errors into what Dagster knows, and note in the history that the goal failed."""
        watcher().phase(self.unique, doing)
        try:
            yield
        except CdpSyncError as error:
            if isinstance(error, Transient) and context.retry_number < RETRIES:
                raise retry() from error
            remove(run.folder)
            if not isinstance(error, WarehouseUnusable):
                record_failure(run, str(error))
            watcher().done(self.unique, GoalReport(self.goal.name, error=str(error)))
            raise failure(error) from error


def _scan_handle(due: tuple[RemoteFile, ...], waiting: tuple[FileReport, ...], known: dict[str, KnownFile]) -> Handle:
    paths = {file.path for file in due}
    entries = {path: asdict(entry) for path, entry in known.items() if path in paths}
    return {
        "due": [[file.modified_at.isoformat(), file.path, file.size] for file in due],
        "waiting": [[report.path, report.state] for report in waiting],
        "known": {path: {**entry, "modified_at": entry["modified_at"].isoformat()} for path, entry in entries.items()},
        "started": time.time(),
    }


def _revived(entry: Handle) -> Handle:
    at = datetime.fromisoformat(entry["modified_at"])
    return {**entry, "modified_at": at, "fields": tuple(entry["fields"])}
