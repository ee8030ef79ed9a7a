"""The last two steps of every import goal, which are the same wherever its rows come from."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError, WarehouseLocked, WarehouseUnusable
from cdp_sync.importing import GoalRun, link_identifiers, upsert_profiles
from cdp_sync.importing.reporting import record_failure
from cdp_sync.model import FileReport, GoalReport, ImportGoal, ImportRules
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goal_steps import GoalSteps, Handle, staged
from cdp_sync.orchestration.handles import forget_handles
from cdp_sync.orchestration.metadata import metadata_of
from cdp_sync.orchestration.places import data_folder, remove
from cdp_sync.orchestration.progress import watcher

T = TypeVar("T")
Rules = TypeVar("Rules", bound=ImportRules)


@dataclass(frozen=True)
class ImportSteps(GoalSteps[Rules]):
    """An import goal and the steps that run it, each handing the next a handle: paths, states and counts, no rows."""

    @property
    @abstractmethod
    def importing(self) -> ImportGoal:
        """The goal as importing knows it."""

    def link(self, context: dg.OpExecutionContext, staging: Handle) -> Handle:
        """Give every row a profile."""
        if staging["staging"]:
            run = self._run(context, staging)
            self._attempt(context, run, "linking", lambda: link_identifiers(staged(run)))
        return staging

    def upsert(self, context: dg.OpExecutionContext, linked: Handle) -> dg.MaterializeResult[Any]:
        """Write the profiles, and say what was done."""
        run = self._run(context, linked)
        report = GoalReport(self.goal.name)
        if linked["staging"]:
            report = self._attempt(context, run, "writing profiles", lambda: upsert_profiles(staged(run)))
            remove(run.staging)
        waiting = (FileReport(path, state, message=message) for path, state, message in linked["waiting"])
        report = report.with_files(waiting)
        report = replace(report, seconds=time.time() - linked["started"], note=linked.get("note", ""))
        watcher().done(self.unique, report)
        context.log.info(report.message)
        told = self._tell(context, report)
        forget_handles(context)
        return told

    def _tell(self, context: dg.OpExecutionContext, report: GoalReport) -> dg.MaterializeResult[Any]:
        """Return what the UI shows of the goal, or raise where it failed; what landed is shown in either case."""
        metadata = metadata_of(report)
        if report.state != "failed":
            return dg.MaterializeResult(metadata=metadata)
        if any(file.state in ("imported", "retried") for file in report.files):
            context.log_event(dg.AssetMaterialization([self.connection.name, self.goal.name], metadata=metadata))
        raise dg.Failure(description=report.message, metadata=metadata, allow_retries=False)

    def _run(self, context: dg.OpExecutionContext, handle: Handle | None = None) -> GoalRun:
        folder = data_folder()
        staging = Path(handle["staging"]) if handle and handle["staging"] else None
        return GoalRun(
            run_id=context.run_id,
            connection=self.connection.name,
            goal=self.importing,
            profiles=self.profiles,
            warehouse=context.resources.warehouse.warehouse(),
            staging=staging or folder.staging(context.run_id, self.unique),
            downloads=folder.downloads(context.run_id, self.unique),
            objectives=self.connection.objectives,
            again=bool(handle and handle["again"]),
            began=handle["started"] if handle else None,
        )

    def _attempt(self, context: dg.OpExecutionContext, run: GoalRun, doing: str, work: Callable[[], T]) -> T:
        watcher().phase(self.unique, doing)
        return attempt(context.log, work, lambda error: self._give_up(run, error))

    def _give_up(self, run: GoalRun, error: CdpSyncError) -> None:
        remove(run.folder)
        if not isinstance(error, WarehouseUnusable | WarehouseLocked):
            record_failure(run, str(error))
        watcher().done(self.unique, GoalReport(self.goal.name, error=str(error)))


def waiting_handle(waiting: Iterable[FileReport]) -> list[list[str]]:
    """Return the files that are not imported, as plain values that steps can hand on."""
    return [[report.path, report.state, report.message] for report in waiting]
