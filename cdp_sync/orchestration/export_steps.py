"""The four steps of an export goal, each handing the next a handle: paths and counts, never rows."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError, WarehouseLocked, WarehouseUnusable
from cdp_sync.exporting import (
    DeliveredFile,
    ExportRun,
    LocalFile,
    deliver_file,
    record_delivery,
    record_failure,
    select_segment,
    write_file,
)
from cdp_sync.model import ExportCounters, ExportGoal, ExportReport, RemoteFile
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goal_steps import GoalSteps, Handle, staged
from cdp_sync.orchestration.metadata import export_metadata_of
from cdp_sync.orchestration.places import data_folder, remove
from cdp_sync.orchestration.progress import watcher

T = TypeVar("T")


@dataclass(frozen=True)
class ExportSteps(GoalSteps[ExportGoal]):
    """An export goal and the steps that run it."""

    def select(self, context: dg.OpExecutionContext) -> Handle:
        """Choose who is to be delivered, and stage their rows."""
        data_folder().sweep()
        handle: Handle = {"started": time.time(), "now": datetime.now(UTC).isoformat()}
        run = self._run(context, handle)
        counters = self._attempt(context, run, "selecting", lambda: select_segment(run), keep=False)
        context.log.info(
            f"{counters.profiles_written:,} of {counters.profiles_in_segment:,} profiles are to be delivered"
        )
        kept = {"staging": str(run.staging), "folder": str(run.folder)}
        return {**handle, **kept, "counters": asdict(counters)}

    def write(self, context: dg.OpExecutionContext, selected: Handle) -> Handle:
        """Write the rows to a local file."""
        run = self._run(context, selected)
        file = self._attempt(context, run, "writing", lambda: write_file(staged(run)), keep=False)
        return {**selected, "file": file.to_handle() if file else None}

    def deliver(self, context: dg.OpExecutionContext, written: Handle) -> Handle:
        """Put the file on the server."""
        if written["file"] is None:
            return {**written, "delivered": None}
        run = self._run(context, written)
        file = LocalFile.from_handle(written["file"])
        delivered = self._attempt(context, run, "sending", lambda: self._deliver(context, staged(run), file))
        return {**written, "delivered": delivered.to_handle()}

    def record(self, context: dg.OpExecutionContext, delivered: Handle) -> dg.MaterializeResult[Any]:
        """Note the delivery, and say what was done."""
        run = self._run(context, delivered)
        counters = ExportCounters(**delivered["counters"])
        file = DeliveredFile.from_handle(delivered["delivered"]) if delivered["delivered"] else None
        report = self._attempt(context, run, "recording", lambda: record_delivery(staged(run), counters, file))
        self._clear(run)
        report = replace(report, seconds=time.time() - delivered["started"])
        watcher().done(self.unique, report)
        context.log.info(report.message)
        return dg.MaterializeResult(metadata=export_metadata_of(report))

    def _deliver(self, context: dg.OpExecutionContext, run: ExportRun, file: LocalFile) -> DeliveredFile:
        sent = RemoteFile(run.now, file.name, file.size)
        watcher().expects(self.unique, (sent,))
        with getattr(context.resources, self.server_key).client() as server:
            return deliver_file(run, server, file, progress=lambda size: watcher().arrived(self.unique, sent, size))

    def _run(self, context: dg.OpExecutionContext, handle: Handle) -> ExportRun:
        own = self._own(context, handle)
        return ExportRun(
            run_id=context.run_id,
            connection=self.connection.name,
            goal=self.goal,
            profiles=self.profiles,
            objectives=self.connection.objectives,
            warehouse=context.resources.warehouse.warehouse(),
            staging=own[0],
            folder=own[1],
            now=datetime.fromisoformat(handle["now"]),
        )

    def _own(self, context: dg.OpExecutionContext, handle: Handle) -> tuple[Path, Path]:
        """Return where the run's rows and file are: of one that is tried again from a step, those of the run before."""
        if "staging" in handle:
            return Path(handle["staging"]), Path(handle["folder"])
        folder = data_folder()
        return folder.staging(context.run_id, self.unique), folder.downloads(context.run_id, self.unique)

    def _attempt(
        self, context: dg.OpExecutionContext, run: ExportRun, doing: str, work: Callable[[], T], *, keep: bool = True
    ) -> T:
        """Do a step's work; where that fails, keep what it needs, so that the step can be tried again."""
        watcher().phase(self.unique, doing)
        return attempt(context.log, work, lambda error: self._give_up(run, error, keep=keep))

    def _give_up(self, run: ExportRun, error: CdpSyncError, *, keep: bool) -> None:
        if not keep:
            self._clear(run)
        if not isinstance(error, WarehouseUnusable | WarehouseLocked):
            record_failure(run, str(error))
        watcher().done(self.unique, ExportReport(self.goal.name, self.goal.segment, error=str(error)))

    def _clear(self, run: ExportRun) -> None:
        remove(run.folder)
        remove(run.staging)
