"""The steps of export goals of events, and of responses, which are made of events."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import dagster as dg

from cdp_sync import exporting, model
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.checks import EVENT_EXPORT_CHECKS
from cdp_sync.orchestration.goals.export_steps import DeliverySteps
from cdp_sync.orchestration.goals.goal_steps import GoalOp, Handle, staged
from cdp_sync.orchestration.runs.progress import watcher

G = TypeVar("G", bound=model.EventExportGoal | model.ResponseExportGoal)
R = TypeVar("R", bound=exporting.EventRun | exporting.ResponseRun)


@dataclass(frozen=True)
class EventFileSteps(DeliverySteps[G, R], Generic[G, R]):
    """A goal that puts files on a server which are made of events."""

    checks = EVENT_EXPORT_CHECKS
    noun = "event"
    first: ClassVar[str]
    """Name of the first op."""

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        return self._ops(self.first, GoalOp("write_files", self.write), GoalOp("deliver_files", self.deliver))

    def select(self, context: dg.OpExecutionContext) -> Handle:
        """Choose the events that are to be delivered, and stage their rows."""
        return self._selected(context)

    def write(self, context: dg.OpExecutionContext, selected: Handle) -> Handle:
        """Write the rows to local files."""
        run = self._run(context, selected)
        files = self._attempt(context, run, "writing", lambda: self._write(staged(run)), keep=False)
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
            removed = self._remove(run, server, paths, context.log.warning)
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

    @abstractmethod
    def _write(self, run: R) -> Sequence[exporting.LocalFile]:
        """Write the staged rows to local files."""

    def _record(self, run: R, delivered: Handle) -> model.EventExportReport:
        files = [exporting.DeliveredFile(**file) for file in delivered["delivered"]]
        removed = [exporting.RemovedFile(**file) for file in delivered["removed"]]
        return self._note(run, model.EventCounters(**delivered["counters"]), files, removed)

    @abstractmethod
    def _note(
        self,
        run: R,
        counters: model.EventCounters,
        files: Sequence[exporting.DeliveredFile],
        removed: Sequence[exporting.RemovedFile],
    ) -> model.EventExportReport:
        """Record the delivery in the warehouse."""

    def _remove(
        self, run: R, server: Callable[[], Any], delivered: Sequence[str], warn: Callable[[str], object]
    ) -> Sequence[exporting.RemovedFile]:
        """Remove the files of the goal that are kept no longer; of most goals none is removed."""
        return ()

    def _failed(self, error: str) -> model.EventExportReport:
        return model.EventExportReport(self.goal.name, error=error)


@dataclass(frozen=True)
class EventExportSteps(EventFileSteps[model.EventExportGoal, exporting.EventRun]):
    """A goal that puts files of events on a server."""

    run_type = exporting.EventRun
    first = "select_events"

    def _select(self, run: exporting.EventRun) -> model.EventCounters:
        counters = exporting.select_events(run)
        exporting.verify_events_recordable(run, counters)
        return counters

    def _write(self, run: exporting.EventRun) -> Sequence[exporting.LocalFile]:
        return exporting.write_event_files(run)

    def _note(
        self,
        run: exporting.EventRun,
        counters: model.EventCounters,
        files: Sequence[exporting.DeliveredFile],
        removed: Sequence[exporting.RemovedFile],
    ) -> model.EventExportReport:
        return exporting.record_events(run, counters, files, removed)

    def _remove(
        self,
        run: exporting.EventRun,
        server: Callable[[], Any],
        delivered: Sequence[str],
        warn: Callable[[str], object],
    ) -> Sequence[exporting.RemovedFile]:
        return exporting.remove_old_files(run, server, delivered, warn)


@dataclass(frozen=True)
class ResponseExportSteps(EventFileSteps[model.ResponseExportGoal, exporting.ResponseRun]):
    """A goal that puts files of responses on a server."""

    run_type = exporting.ResponseRun
    first = "select_responses"

    def _select(self, run: exporting.ResponseRun) -> model.EventCounters:
        counters = exporting.select_responses(run)
        exporting.verify_responses_recordable(run)
        return counters

    def _write(self, run: exporting.ResponseRun) -> Sequence[exporting.LocalFile]:
        return exporting.write_response_files(run)

    def _note(
        self,
        run: exporting.ResponseRun,
        counters: model.EventCounters,
        files: Sequence[exporting.DeliveredFile],
        removed: Sequence[exporting.RemovedFile],
    ) -> model.EventExportReport:
        return exporting.record_responses(run, counters, files)
