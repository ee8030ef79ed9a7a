"""The steps of an export goal, each handing the next a handle: paths and counts, never rows."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import dagster as dg

from cdp_sync import exporting, model
from cdp_sync.errors import CdpSyncError, WarehouseLocked, WarehouseUnusable
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.checks import EXPORT_CHECKS, USER_EXPORT_CHECKS, Checks, export_findings, note_checks
from cdp_sync.orchestration.goals.goal_steps import GoalOp, GoalSteps, Handle, forget_handles, staged
from cdp_sync.orchestration.goals.metadata import export_metadata_of, idle_metadata_of
from cdp_sync.orchestration.resources import WAREHOUSE_POOL, reading_pool
from cdp_sync.orchestration.runs.progress import watcher
from cdp_sync.warehouse.history import record_failure

T = TypeVar("T")
_SELECT = "select_segment"
_FULL = {
    "full": dg.Field(bool, default_value=False, description="Look at everybody, not only at who may have changed.")
}
"""What the launchpad can ask of a run."""

G = TypeVar("G", bound=model.ExportGoal | model.EventExportGoal | model.ResponseExportGoal)
P = TypeVar("P", bound=model.ExportGoal)
R = TypeVar("R", bound=exporting.DeliveryRun)
E = TypeVar("E", bound=exporting.ExportRun)


@dataclass(frozen=True)
class DeliverySteps(GoalSteps[G], Generic[G, R]):
    """An export goal and the steps that run it, whatever it delivers."""

    run_type: ClassVar[Any]
    """Of its runs: a subclass of `DeliveryRun`."""
    checks: ClassVar[Checks] = EXPORT_CHECKS
    noun: ClassVar[str] = "profile"
    """What it delivers."""

    def _selected(self, context: dg.OpExecutionContext) -> Handle:
        """Stage what is to be delivered; hand on what the run is made of and its counters."""
        data_folder().sweep()
        handle: Handle = {"started": time.time(), "now": datetime.now(UTC).isoformat()}
        run = self._run(context, handle)
        self.adopt(context)
        handle |= self._attempt(context, run, "selecting", lambda: self._planned(run), keep=False)
        run = self._run(context, handle)
        counters = self._attempt(context, run, "selecting", lambda: self._select(run), keep=False)
        every, *_ = times = asdict(counters)
        context.log.info(f"To deliver: {times[counters.ends[-1]]:,} of {counted(times[every], self.noun)}.")
        kept = {"staging": str(run.staging), "folder": str(run.folder)}
        return {**handle, **kept, "counters": asdict(counters)}

    def _planned(self, run: R) -> Handle:
        """Return what later steps need to know of the run, beside the goal."""
        return {}

    @abstractmethod
    def _select(self, run: R) -> model.ExportCounters | model.EventCounters:
        """Stage what is to be delivered, if that can be recorded."""

    def _ops(self, select: str, write: GoalOp, deliver: GoalOp) -> tuple[GoalOp, ...]:
        more = {"pool": reading_pool(), "ins": {"after": dg.In(dg.Nothing)}}
        first = GoalOp(select, self.select, more | ({"config_schema": _FULL} if select == _SELECT else {}))
        # A run that delivers nothing yields nothing, and leaves the asset as it is.
        record = GoalOp("record_delivery", self.record, {"pool": WAREHOUSE_POOL, "out": dg.Out(is_required=False)})
        return (first, write, deliver, record)

    @abstractmethod
    def select(self, context: dg.OpExecutionContext) -> Handle:
        """Stage what is to be delivered."""

    def record(self, context: dg.OpExecutionContext, delivered: Handle) -> Iterator[dg.MaterializeResult[Any]]:
        """Record in the warehouse what was delivered, with ledger, history and quarantine."""
        run = self._run(context, delivered)
        report: Any = self._attempt(context, run, "recording", lambda: self._record(staged(run), delivered))
        remove(run.folder, run.staging)
        report = replace(report, seconds=time.time() - delivered["started"])
        watcher().done(self.unique, report)
        context.log.info(report.message)
        anew = report.delivers
        note_checks(context, self.key, self.checks, export_findings(report), anew=anew)
        if anew:
            yield dg.MaterializeResult(metadata=export_metadata_of(report))
        else:
            context.log_event(dg.AssetObservation(self.key, metadata=idle_metadata_of(report)))
        forget_handles(context)

    @abstractmethod
    def _record(self, run: R, delivered: Handle) -> model.Report:
        """Record the delivery in the warehouse."""

    def _give_up(self, run: R) -> None:
        """Undo what a run has written of which nothing is kept. By default there is nothing."""

    @abstractmethod
    def _failed(self, error: str) -> model.Report:
        """Return the report of a run that failed as a whole."""

    def _run(self, context: dg.OpExecutionContext, handle: Handle) -> R:
        """Return the run; one that is tried again from a step keeps its rows and file."""
        data = data_folder()
        run: R = self.run_type(
            run_id=context.run_id,
            connection=self.connection.name,
            goal=self.goal,
            profiles=self.profiles,
            objectives=self.connection.objectives,
            warehouse=context.resources.warehouse.warehouse(),
            staging=Path(handle.get("staging") or data.staging(context.run_id, self.unique)),
            folder=Path(handle.get("folder") or data.downloads(context.run_id, self.unique)),
            now=datetime.fromisoformat(handle["now"]),
        )
        return run

    def _attempt(
        self, context: dg.OpExecutionContext, run: R, doing: str, work: Callable[[], T], *, keep: bool = True
    ) -> T:
        """Do a step's work; where that fails, keep what it needs, so that the step can be tried again."""
        watcher().phase(self.unique, doing)

        def give_up(error: CdpSyncError) -> None:
            if not keep:
                self._give_up(run)
                remove(run.folder, run.staging)
            report = self._failed(str(error))
            if not isinstance(error, WarehouseUnusable | WarehouseLocked):
                record_failure(run.warehouse, run, report, run.now)
            watcher().done(self.unique, report)

        return attempt(context.log, work, give_up)


@dataclass(frozen=True)
class ExportSteps(DeliverySteps[P, E], Generic[P, E]):
    """An export goal of profiles and the steps that run it."""

    def select(self, context: dg.OpExecutionContext) -> Handle:
        """Choose the segment's profiles that are to be delivered, and stage their rows."""
        return self._selected(context)

    def _run(self, context: dg.OpExecutionContext, handle: Handle) -> E:
        run: E = replace(super()._run(context, handle), full=bool((context.op_config or {}).get("full")))
        return run

    def _select(self, run: E) -> model.ExportCounters:
        counters = exporting.select_segment(run)
        exporting.verify_recordable(run, counters)
        return counters

    def _give_up(self, run: E) -> None:
        exporting.release(run)

    def _failed(self, error: str) -> model.Report:
        return model.ExportReport(self.goal.name, self.goal.segment, error=error)


@dataclass(frozen=True)
class FileExportSteps(ExportSteps[model.FileExportGoal, exporting.FileRun]):
    """A goal that puts a file on a server."""

    run_type = exporting.FileRun

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        return self._ops(_SELECT, GoalOp("write_file", self.write), GoalOp("deliver_file", self.deliver))

    def _planned(self, run: exporting.FileRun) -> Handle:
        """Return the columns of a campaign, and why it waits if it does."""
        ready = exporting.planned(run)
        columns = [column.model_dump(mode="json", exclude_none=True) for column in ready.goal.map]
        campaign = {"campaign": {"columns": columns, "waiting_for": ready.waiting_for, "difference": ready.difference}}
        return campaign if ready.goal.keeps_columns else {}

    def _run(self, context: dg.OpExecutionContext, handle: Handle) -> exporting.FileRun:
        run = super()._run(context, handle)
        if not (campaign := handle.get("campaign")):
            return run
        columns = tuple(map(model.ExportColumn.model_validate, campaign["columns"]))
        goal = run.goal.model_copy(update={"map": columns})
        return replace(run, goal=goal, waiting_for=campaign["waiting_for"], difference=campaign["difference"])

    def select(self, context: dg.OpExecutionContext) -> Handle:
        """Choose the segment's profiles that are to be delivered, and stage their rows."""
        selected = super().select(context)
        run = self._run(context, selected)
        for sentence in filter(None, (run.waits, run.difference)):
            context.log.info(sentence)
        # Connect meanwhile, where there is something to deliver.
        if selected["counters"]["profiles_written"] or run.is_due_without_profiles():
            self.server(context).connect_ahead()
        return selected

    def write(self, context: dg.OpExecutionContext, selected: Handle) -> Handle:
        """Write the rows to a local file."""
        run = self._run(context, selected)
        try:
            file = self._attempt(context, run, "writing", lambda: exporting.write_file(staged(run)), keep=False)
        except BaseException:
            self.server(context).hang_up()
            raise
        return {**selected, "file": asdict(file) | {"local": str(file.local)} if file else None}

    def deliver(self, context: dg.OpExecutionContext, written: Handle) -> Handle:
        """Put the file on the server: complete, or not at all."""
        if written["file"] is None:
            with ExitStack() as opened:
                self.clear_uploads(context, cache(lambda: opened.enter_context(self.client(context))))
            return {**written, "delivered": None}
        run = self._run(context, written)
        file = exporting.LocalFile(**{**written["file"], "local": Path(written["file"]["local"])})
        sent, uploads = model.RemoteFile(run.now, file.name, file.size), data_folder().uploads(self.connection.name)

        def deliver() -> exporting.DeliveredFile:
            ready = staged(run)
            watcher().expects(self.unique, (sent,))
            with self.client(context) as server:
                self.clear_uploads(context, lambda: server)
                progress = partial(watcher().arrived, self.unique, sent)
                return exporting.deliver_file(ready, server, file, uploads, progress=progress)

        return {**written, "delivered": asdict(self._attempt(context, run, "sending", deliver))}

    def _record(self, run: exporting.FileRun, delivered: Handle) -> model.ExportReport:
        counters = model.ExportCounters(**delivered["counters"])
        file = exporting.DeliveredFile(**delivered["delivered"]) if delivered["delivered"] else None
        # The local file is needed no more, and some disks take long to remove one.
        with ThreadPoolExecutor(1) as executor:
            executor.submit(remove, run.folder)
            return exporting.record_delivery(run, counters, file)


@dataclass(frozen=True)
class UserSteps(ExportSteps[model.AudienceGoal, exporting.UserRun]):
    """A goal that brings profiles to users of a platform."""

    run_type = exporting.UserRun
    checks = USER_EXPORT_CHECKS

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        write = GoalOp("write_users", self.write, {"pool": WAREHOUSE_POOL})
        return self._ops(_SELECT, write, GoalOp("deliver_users", self.deliver))

    def write(self, context: dg.OpExecutionContext, selected: Handle) -> Handle:
        """Write to local files the users to create or change, and those to take off lists; stage the due events."""
        run = self._run(context, selected)

        def write() -> tuple[int, int, int]:
            return *exporting.write_users(staged(run)), exporting.select_events_of_users(run)

        users, leavers, events = self._attempt(context, run, "writing", write, keep=False)
        return {**selected, "users": users, "leavers": leavers, "events": events}

    def deliver(self, context: dg.OpExecutionContext, written: Handle) -> Handle:
        """Create and change users, put them on lists and take others off, and keep the outcome of each."""
        if written["users"] or written["leavers"] or written["events"]:
            run = self._run(context, written)

            def deliver() -> None:
                exporting.verify_room(staged(run), written["users"] + written["events"])
                with self.client(context) as client:
                    exporting.deliver_users(run, model.kind_of(self.connection).part("audience")(client, self.goal))

            self._attempt(context, run, "sending", deliver)
        return written

    def _record(self, run: exporting.UserRun, delivered: Handle) -> model.ExportReport:
        counters = model.ExportCounters(**delivered["counters"])
        return exporting.record_users(run, counters, delivered["leavers"], delivered["events"])
