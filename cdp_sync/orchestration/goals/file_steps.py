"""The first steps of an import goal over files: scan the directory, parse what is due."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from cdp_sync.importing import ImportRun, Scan, fetch_files, scan_directory
from cdp_sync.importing.run import refuse_rivals
from cdp_sync.importing.sources.scanning import Choice, Directory, Sightings
from cdp_sync.model import FileGoal, ImportReport, RemoteFile, SftpConnection
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.orchestration.goals.files import (
    CHOICE,
    choice_of,
    clear_failures,
    expect_files,
    is_backfill,
    note_files,
)
from cdp_sync.orchestration.goals.goal_asset import GoalOp
from cdp_sync.orchestration.goals.goal_steps import Handle
from cdp_sync.orchestration.goals.import_steps import ImportSteps
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.orchestration.runs.progress import watcher
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.ledger import KnownFile, known_files

_SCANS = "List the directory and keep the files that are new or have changed."
_PARSES = "Fetch the files and parse them into a staging table; hand on its name."


@dataclass(frozen=True)
class FileSteps(ImportSteps[FileGoal]):
    """An import goal over files and the steps that run it."""

    connection: SftpConnection

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        return (
            GoalOp("scan_directory", _SCANS, self.scan, {"pool": WAREHOUSE_POOL, "config_schema": CHOICE}),
            GoalOp("parse_files", _PARSES, self.parse),
            *super().ops,
        )

    def scan(self, context: dg.OpExecutionContext) -> Handle:
        """List the directory and ask the ledger what is new."""
        started = time.time()
        run = self._run(context)
        data_folder().sweep()
        scanned = self._attempt(context, run, "scanning", lambda: self._scan(context, run, choice_of(context)))
        return {**scanned, "started": started}

    def parse(self, context: dg.OpExecutionContext, scanned: Handle) -> Handle:
        """Fetch the files and parse them into the staging table."""
        handle: Handle = {**{name: scanned[name] for name in ("waiting", "started", "again", "note")}, "staging": None}
        if not scanned["due"] and not scanned["retry"]:
            return handle
        run = self._run(context, handle)
        self._attempt(context, run, "fetching and parsing", lambda: self._parse(context, run, scanned))
        remove(run.folder)
        return {**handle, "staging": str(run.staging)}

    def _scan(self, context: dg.OpExecutionContext, run: ImportRun, choice: Choice) -> Handle:
        self.adopt(context)
        with run.warehouse.open("read") as session:
            known = known_files(session, run.connection, run.goal.name)
            retry = _count_due(session, run) if self.goal.keeps_unmatched else 0
        sightings = Sightings(data_folder().sightings(run.connection, run.goal.name))
        with self.client(context) as server:
            scan = scan_directory(server, self.goal, known, run.fingerprint, choice, sightings=sightings)
            note = self._left_out(context, server, choice, scan)
            self.clear_uploads(context, lambda: server)
        refuse_rivals(run, [(file.path, file.size, file.modified_at) for file in scan.due])
        clear_failures(context, self.connection.name, self.goal.name, scan)
        expect_files(context, self.connection.name, self.goal.name, scan)
        context.log.info(f"To import: {len(scan.due):,} of {counted(len(scan.files), 'file')}.")
        if retry:
            context.log.info(f"Tried again: {counted(retry, 'row')} that waited for a profile.")
        return {**_scan_handle(scan, known), "again": choice.again, "retry": retry, "note": note}

    def _left_out(self, context: dg.OpExecutionContext, server: Directory, choice: Choice, scan: Scan) -> str:
        """Say so where a wildcard matches no file of this goal; it has to match one of another goal of the run then."""
        if choice.pattern == "*" or scan.files:
            return ""
        run = context.run.asset_selection or context.job_def.asset_layer.selected_asset_keys
        name, goals = self.connection.name, self.connection.import_profiles
        choice.check(server, [goal for goal in goals if dg.AssetKey([name, goal.name]) in run])
        return f"No file of this goal matches {choice.pattern!r}."

    def _parse(self, context: dg.OpExecutionContext, run: ImportRun, scanned: Handle) -> None:
        from cdp_sync.importing import parse_files

        files = [RemoteFile(datetime.fromisoformat(at), path, size) for at, path, size in scanned["due"]]
        known = {}
        for path, entry in scanned["known"].items():
            at, fields = datetime.fromisoformat(entry["modified_at"]), tuple(entry["fields"])
            known[path] = KnownFile(**{**entry, "modified_at": at, "fields": fields})
        watcher().expects(self.unique, tuple(files))
        with self.client(context) as server:
            arrivals = fetch_files(
                server, files, run.folder, progress=lambda file, size: watcher().arrived(self.unique, file, size)
            )
            parse_files(run, arrivals, known, retry=bool(scanned["retry"]))

    def _tell(self, context: dg.OpExecutionContext, report: ImportReport) -> Iterator[dg.MaterializeResult[Any]]:
        if not is_backfill(context):
            note_files(context, self.connection.name, self.goal.name, report.files)
            yield from super()._tell(context, report)
            return
        if report.state == "failed":
            note_files(context, self.connection.name, self.goal.name, report.files)
        self._count_profiles(context, report)
        self._log(context, report)
        yield dg.MaterializeResult(metadata={})  # Dagster notes this once for each file


def _count_due(session: Session, run: ImportRun) -> int:
    from cdp_sync.importing.linking.waiting import count_due

    return count_due(session, run)


def _scan_handle(scan: Scan, known: dict[str, KnownFile]) -> Handle:
    paths = {file.path for file in scan.due}
    entries = {path: asdict(entry) for path, entry in known.items() if path in paths}
    return {
        "due": [[file.modified_at.isoformat(), file.path, file.size] for file in scan.due],
        "waiting": [[report.path, str(report.state), report.message] for report in scan.waiting],
        "known": {path: {**entry, "modified_at": entry["modified_at"].isoformat()} for path, entry in entries.items()},
    }
