"""The steps of an export goal of events."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import dagster as dg

from cdp_sync import exporting, model
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.checks import EVENT_EXPORT_CHECKS
from cdp_sync.orchestration.goals.export_steps import DeliverySteps
from cdp_sync.orchestration.goals.goal_steps import GoalOp, Handle, staged
from cdp_sync.orchestration.runs.progress import watcher


@dataclass(frozen=True)
class EventExportSteps(DeliverySteps[model.EventExportGoal, exporting.EventRun]):
    """A goal that puts files of events on a server."""

    run_type = exporting.EventRun
    checks = EVENT_EXPORT_CHECKS
    noun = "event"

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        return self._ops("select_events", GoalOp("write_files", self.write), GoalOp("deliver_files", self.deliver))

    def select(self, context: dg.OpExecutionContext) -> Handle:
        """Choose the events that are to be delivered, and stage their rows."""
        return self._selected(context)

    def _select(self, run: exporting.EventRun) -> model.EventCounters:
        counters = exporting.select_events(run)
        exporting.verify_events_recordable(run, counters)
        return counters

    def write(self, context: dg.OpExecutionContext, selected: Handle) -> Handle:
        """Write the rows to local files."""
        run = self._run(context, selected)
        files = self._attempt(context, run, "writing", lambda: exporting.write_event_files(staged(run)), keep=False)
        return {**selected, "files": [asdict(file) | {"local": str(file.local)} for file in files]}

    def deliver(self, context: dg.OpExecutionContext, written: Handle) -> Handle:
        """Put the files on the server: each complete, or not at all. Remove those that are kept no longer."""
        files = [exporting.LocalFile(**{**file, "local": Path(file["local"])}) for file in written["files"]]
        delivered = self._deliver(context, written, files) if files else []
        run, paths = staged(self._run(context, written)), [file["path"] for file in delivered]
        with ExitStack() as opened:
            server = cache(lambda: opened.enter_context(self.client(context)))
            if not files:
                self.clear_uploads(context, server)
            removed = exporting.remove_old_files(run, server, paths, context.log.warning)
        return {**written, "delivered": delivered, "removed": [asdict(file) for file in removed]}

    def _deliver(
        self, context: dg.OpExecutionContext, written: Handle, files: Sequence[exporting.LocalFile]
    ) -> list[Handle]:
        run, uploads = self._run(context, written), data_folder().uploads(self.connection.name)
        sent = {file.name: model.RemoteFile(run.now, file.name, file.size) for file in files}

        def deliver() -> list[Handle]:
            ready = staged(run)
            watcher().expects(self.unique, tuple(sent.values()))
            with self.client(context) as server:
                self.clear_uploads(context, lambda: server)

                def progress(file: exporting.LocalFile, reached: int) -> None:
                    watcher().arrived(self.unique, sent[file.name], reached)

                delivered = exporting.deliver_event_files(ready, server, files, uploads, progress=progress)
            return [asdict(file) for file in delivered]

        return self._attempt(context, run, "sending", deliver)

    def _record(self, run: exporting.EventRun, delivered: Handle) -> model.EventExportReport:
        files = [exporting.DeliveredFile(**file) for file in delivered["delivered"]]
        removed = [exporting.RemovedFile(**file) for file in delivered["removed"]]
        return exporting.record_events(run, model.EventCounters(**delivered["counters"]), files, removed)

    def _failed(self, error: str) -> model.EventExportReport:
        return model.EventExportReport(self.goal.name, error=error)
