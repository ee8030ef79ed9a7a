"""The steps of an import goal, each handing the next a handle: paths, states and counts, never rows.

The last two are the same wherever the rows come from: files of a server, or a platform's people.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from cdp_sync import model
from cdp_sync.errors import CdpSyncError, WarehouseLocked, WarehouseUnusable
from cdp_sync.importing import ImportRun, fetch_files, scan_directory
from cdp_sync.importing.run import refuse_rivals
from cdp_sync.importing.sources.scanning import Choice, Sightings
from cdp_sync.model.counting import counted
from cdp_sync.model.expected_file import LearnedFile, like
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.checks import note_import_checks
from cdp_sync.orchestration.goals.files import (
    CHOICE,
    choice_of,
    clear_failures,
    expect_files,
    is_backfill,
    note_files,
)
from cdp_sync.orchestration.goals.goal_steps import GoalOp, GoalSteps, Handle, forget_handles, staged
from cdp_sync.orchestration.goals.groups import groups_key, groups_metadata
from cdp_sync.orchestration.goals.metadata import failure_metadata_of, idle_metadata_of, metadata_of
from cdp_sync.orchestration.goals.segments import PROFILES, shows_profiles
from cdp_sync.orchestration.resources import WAREHOUSE_POOL, reading_pool
from cdp_sync.orchestration.runs.progress import watcher
from cdp_sync.warehouse.history import record_failure
from cdp_sync.warehouse.learned import learned_file
from cdp_sync.warehouse.ledger import KnownFile, known_files

_PATIENCE = 1.0
"""Seconds that a goal which failed waits for the warehouse."""

T = TypeVar("T")
Rules = TypeVar("Rules", bound=model.RowRules)


@dataclass(frozen=True)
class ImportSteps(GoalSteps[Rules]):
    """An import goal and the steps that run it."""

    @property
    def importing(self) -> model.ImportGoal:
        """The goal as rows of delimited text, which is what the engine imports."""
        return self.goal.importing(self.connection, self.profiles)

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The last ops of the goal; those before depend on what it reads."""
        link = GoalOp("link_identifiers", self.link, {"pool": reading_pool()})
        # A run that finds nothing to do yields nothing: it leaves the asset, its plots and its checks as they are.
        upsert = GoalOp("upsert_profiles", self.upsert, {"pool": WAREHOUSE_POOL, "out": dg.Out(is_required=False)})
        return (link, upsert)

    def link(self, context: dg.OpExecutionContext, staging: Handle) -> Handle:
        """Give every row a profile, or a group: one that exists, a new one, or none."""
        if staging["staging"]:
            run = self._run(context, staging)
            from cdp_sync.importing.pipeline import link_identifiers

            self._attempt(context, run, "linking", lambda: link_identifiers(staged(run)))
        return staging

    def upsert(self, context: dg.OpExecutionContext, linked: Handle) -> Iterator[dg.MaterializeResult[Any]]:
        """Create and update profiles, or groups, with ledger, history and quarantine, in one transaction."""
        run = self._run(context, linked)
        report = model.ImportReport(self.goal.name, noun=run.records.noun)
        if linked["staging"]:
            from cdp_sync.importing.pipeline import upsert_profiles

            report = self._attempt(context, run, f"writing {report.noun}s", lambda: upsert_profiles(staged(run)))
            remove(run.staging)
        waiting = ((path, model.FileState(state), why) for path, state, why in linked["waiting"])
        report = report.with_files(model.FileReport(path, state, message=why) for path, state, why in waiting)
        report = replace(report, seconds=time.time() - linked["started"], note=linked.get("note", ""))
        with self._handing_back(context, run, report) as report:
            watcher().done(self.unique, report)
            context.log.info(report.message)
            note_import_checks(context, run.warehouse, self.key, anew=report.landed > 0)
            yield from self._show(context, report)
        forget_handles(context)

    @contextmanager
    def _handing_back(
        self, _context: dg.OpExecutionContext, _run: ImportRun, report: model.ImportReport
    ) -> Iterator[model.ImportReport]:
        """Hand refused rows back to the people whose they are, where the goal does that; yield the report to show."""
        yield report

    def _show(self, context: dg.OpExecutionContext, report: model.ImportReport) -> Iterator[dg.MaterializeResult[Any]]:
        """Show the goal in the UI; what landed is shown also where the goal failed.

        Raises:
            dagster.Failure: The goal failed.
        """
        failed = report.state == "failed"
        if report.landed and report.records_total is not None:
            self._count(context, report)
        if report.landed and not failed and not is_backfill(context):
            yield dg.MaterializeResult(metadata=metadata_of(report))
        elif report.landed:
            context.log_event(dg.AssetMaterialization(self.key, metadata=metadata_of(report)))
        elif not failed:
            context.log_event(dg.AssetObservation(self.key, metadata=idle_metadata_of(report)))
        if failed:
            metadata = failure_metadata_of(report)
            raise dg.Failure(description=report.message, metadata=metadata, allow_retries=False)

    def _count(self, context: dg.OpExecutionContext, report: model.ImportReport) -> None:
        """Show how many records there are now: groups of the type, or profiles, where the catalog has them."""
        records = self.goal.records(self.profiles)
        if isinstance(records, model.GroupType):
            key = groups_key(records.name)
            context.log_event(dg.AssetMaterialization(key, metadata=groups_metadata(report)))
        elif shows_profiles(self.profiles):
            count = {"dagster/row_count": report.records_total}
            context.log_event(dg.AssetMaterialization(PROFILES, metadata=count))

    def _run(self, context: dg.OpExecutionContext, handle: Handle | None = None) -> ImportRun:
        folder = data_folder()
        staging = Path(handle["staging"]) if handle and handle["staging"] else None
        learned = handle.get("learned") if handle else None
        return ImportRun(
            run_id=context.run_id,
            connection=self.connection.name,
            goal=like(self.importing, LearnedFile.model_validate(learned)) if learned else self.importing,
            profiles=self.profiles,
            warehouse=context.resources.warehouse.warehouse(),
            staging=staging or folder.staging(context.run_id, self.unique),
            downloads=folder.downloads(context.run_id, self.unique),
            objectives=self.connection.objectives,
            again=bool(handle and handle["again"]),
            began=handle["started"] if handle else None,
            faults=folder.reports(context.run_id, self.unique) if self.importing.expected else None,
        )

    def _attempt(self, context: dg.OpExecutionContext, run: ImportRun, doing: str, work: Callable[[], T]) -> T:
        watcher().phase(self.unique, doing)

        def give_up(error: CdpSyncError) -> None:
            remove(run.folder, *([run.faults] if run.faults else []))
            report = model.ImportReport(self.goal.name, error=str(error))
            if not isinstance(error, WarehouseUnusable | WarehouseLocked):
                record_failure(run.warehouse, run, report)
                # One second for the warehouse: the run has failed before its end.
                warehouse = replace(run.warehouse, lock_timeout=_PATIENCE)
                note_import_checks(context, warehouse, self.key, anew=False)
            watcher().done(self.unique, report)

        return attempt(context.log, work, give_up)


@dataclass(frozen=True)
class FileSteps(ImportSteps[model.FileGoal | model.FileGroupGoal]):
    """An import goal over files: scan the directory, parse what is due."""

    connection: model.SftpConnection

    @property
    def importing(self) -> model.FileGoal:
        """The goal as the engine imports it."""
        return self.goal.importing(self.connection, self.profiles)

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        return (
            GoalOp("scan_directory", self.scan, {"pool": reading_pool(), "config_schema": CHOICE}),
            GoalOp("parse_files", self.parse),
            *super().ops,
        )

    def scan(self, context: dg.OpExecutionContext) -> Handle:
        """List the directory and keep the files that are new or have changed."""
        started = time.time()
        run = self._run(context)
        data_folder().sweep()
        scanned = self._attempt(context, run, "scanning", lambda: self._scan(context, run, choice_of(context)))
        return {**scanned, "started": started}

    def parse(self, context: dg.OpExecutionContext, scanned: Handle) -> Handle:
        """Fetch the files and parse them into a staging table; hand on its name."""
        handle: Handle = {
            **{name: scanned[name] for name in ("waiting", "started", "again", "note", "learned")},
            "staging": None,
        }
        if not scanned["due"] and not scanned["retry"]:
            return handle
        run = self._run(context, handle)
        self._attempt(context, run, "fetching and parsing", lambda: self._parse(context, run, scanned))
        remove(run.folder)
        return {**handle, "staging": str(run.staging)}

    def _scan(self, context: dg.OpExecutionContext, run: ImportRun, choice: Choice) -> Handle:
        self.adopt(context)
        names, retry, note = (run.connection, run.goal.name), 0, ""
        with run.warehouse.open("read") as session:
            known = known_files(session, *names)
            learned = learned_file(session, *names) if run.goal.expected else None
            if run.goal.keeps_unmatched:
                from cdp_sync.importing.linking.waiting import count_due

                retry = count_due(session, run)
        sightings = Sightings(data_folder().sightings(*names))
        with self.client(context) as server:
            scan = scan_directory(server, self.importing, known, run.fingerprint, choice, sightings=sightings)
            if choice.pattern != "*" and not scan.files:
                # The wildcard has to match a file of another goal of the run.
                selected = context.run.asset_selection or context.job_def.asset_layer.selected_asset_keys
                goals = (goal.importing(self.connection, self.profiles) for goal in self.connection.imports)
                choice.check(server, [goal for goal in goals if dg.AssetKey([names[0], goal.name]) in selected])
                note = f"No file of this goal matches {choice.pattern!r}."
            self.clear_uploads(context, lambda: server)
        refuse_rivals(run, [(file.path, file.size, file.modified_at) for file in scan.due])
        clear_failures(context, *names, scan)
        expect_files(context, *names, scan)
        context.log.info(f"To import: {len(scan.due):,} of {counted(len(scan.files), 'file')}.")
        if retry:
            context.log.info(f"Tried again: {counted(retry, 'row')} that waited for a profile.")
        entries = {file.path: asdict(known[file.path]) for file in scan.due if file.path in known}
        return {
            "due": [[file.modified_at.isoformat(), file.path, file.size] for file in scan.due],
            "waiting": [[report.path, str(report.state), report.message] for report in scan.waiting],
            "known": {path: {**of, "modified_at": of["modified_at"].isoformat()} for path, of in entries.items()},
            "again": choice.again,
            "retry": retry,
            "note": note,
            "learned": learned and learned.model_dump(mode="json"),
        }

    def _parse(self, context: dg.OpExecutionContext, run: ImportRun, scanned: Handle) -> None:
        from cdp_sync.importing.pipeline import parse_files

        files = [model.RemoteFile(datetime.fromisoformat(at), path, size) for at, path, size in scanned["due"]]
        known = {}
        for path, entry in scanned["known"].items():
            at, fields = datetime.fromisoformat(entry["modified_at"]), tuple(entry["fields"])
            known[path] = KnownFile(**{**entry, "modified_at": at, "fields": fields})
        watcher().expects(self.unique, tuple(files))
        with self.client(context) as server:
            arrivals = fetch_files(server, files, run.folder, progress=partial(watcher().arrived, self.unique))
            parse_files(run, arrivals, known, retry=bool(scanned["retry"]))

    @contextmanager
    def _handing_back(
        self, context: dg.OpExecutionContext, run: ImportRun, report: model.ImportReport
    ) -> Iterator[model.ImportReport]:
        if run.goal.expected is None:
            yield report
            return
        from cdp_sync.orchestration.goals.handing_back import HandingBack

        directory = self.connection.faults_directory
        handing_back = HandingBack(context, run, self.unique, directory, partial(self.client, context))
        with handing_back.reported(report) as shown:
            yield shown

    def _show(self, context: dg.OpExecutionContext, report: model.ImportReport) -> Iterator[dg.MaterializeResult[Any]]:
        if not is_backfill(context) or report.state == "failed":
            note_files(context, self.connection.name, self.goal.name, report.files)
        yield from super()._show(context, report)
        if is_backfill(context):
            yield dg.MaterializeResult(metadata={})  # Dagster notes this once for each file


@dataclass(frozen=True)
class SourceSteps(ImportSteps[model.RowRules]):
    """An import goal over what a platform has: fetch its people, or its groups."""

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        return (GoalOp("fetch_profiles", self.fetch), *super().ops)

    def fetch(self, context: dg.OpExecutionContext) -> Handle:
        """Fetch the platform's data and parse it into a staging table; hand on its name."""
        handle: Handle = {"started": time.time(), "waiting": [], "again": False, "staging": None}
        run = self._run(context)
        data_folder().sweep()
        watch = watcher()

        def progress(name: str, arrived: int) -> None:
            watch.phase(self.unique, f"fetching {name}")
            watch.arrived(self.unique, model.RemoteFile(datetime.now(UTC), name, arrived), arrived)

        def fetch() -> str:
            self.adopt(context)
            with self.client(context) as client:
                source = model.kind_of(self.connection).part("source")(client, self.goal)
                from cdp_sync.importing.sources.profiles import fetch_profiles

                return fetch_profiles(run, source, progress, tell=lambda doing: watch.phase(self.unique, doing))

        if asked := self._attempt(context, run, "fetching", fetch):
            context.log.info(asked)
        remove(run.folder)
        return {**handle, "staging": str(run.staging)}
