"""The last two steps of every import goal, which are the same wherever its rows come from."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from cdp_sync.errors import CdpSyncError, WarehouseLocked, WarehouseUnusable
from cdp_sync.importing import ImportRun
from cdp_sync.model import FileReport, FileState, ImportGoal, ImportReport, ImportRules
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.checks import note_import_checks
from cdp_sync.orchestration.goals.goal_asset import GoalOp
from cdp_sync.orchestration.goals.goal_steps import GoalSteps, Handle, forget_handles, staged
from cdp_sync.orchestration.goals.metadata import failure_metadata_of, idle_metadata_of, metadata_of
from cdp_sync.orchestration.goals.segments import PROFILES
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.orchestration.runs.progress import watcher
from cdp_sync.warehouse.history import record_failure

_LINKS = "Give every row a profile: one that exists, a new one, or none."
_UPSERTS = "Create and update profiles, with ledger, history and quarantine, in one transaction."

_PATIENCE = 1.0
"""Seconds that a goal which failed waits for the warehouse."""

T = TypeVar("T")
Rules = TypeVar("Rules", bound=ImportRules)


@dataclass(frozen=True)
class ImportSteps(GoalSteps[Rules]):
    """An import goal and the steps that run it, each handing the next a handle: paths, states and counts, no rows."""

    @property
    def importing(self) -> ImportGoal:
        """The goal as rows of delimited text, which is what the engine imports."""
        return self.goal.importing(self.connection, self.profiles)

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The last ops of the goal; those before depend on what it reads."""
        # A run that finds nothing to do yields nothing: it leaves the asset, its plots and its checks as they are.
        last = {"pool": WAREHOUSE_POOL, "out": dg.Out(is_required=False)}
        return (
            GoalOp("link_identifiers", _LINKS, self.link, {"pool": WAREHOUSE_POOL}),
            GoalOp("upsert_profiles", _UPSERTS, self.upsert, last),
        )

    def link(self, context: dg.OpExecutionContext, staging: Handle) -> Handle:
        """Give every row a profile."""
        if staging["staging"]:
            run = self._run(context, staging)
            from cdp_sync.importing import link_identifiers

            self._attempt(context, run, "linking", lambda: link_identifiers(staged(run)))
        return staging

    def upsert(self, context: dg.OpExecutionContext, linked: Handle) -> Iterator[dg.MaterializeResult[Any]]:
        """Write the profiles, and say what was done; nothing is materialized where there was nothing to do."""
        run = self._run(context, linked)
        report = ImportReport(self.goal.name)
        if linked["staging"]:
            from cdp_sync.importing import upsert_profiles

            report = self._attempt(context, run, "writing profiles", lambda: upsert_profiles(staged(run)))
            remove(run.staging)
        waiting = (FileReport(path, FileState(state), message=message) for path, state, message in linked["waiting"])
        report = report.with_files(waiting)
        report = replace(report, seconds=time.time() - linked["started"], note=linked.get("note", ""))
        watcher().done(self.unique, report)
        context.log.info(report.message)
        note_import_checks(context, run.warehouse, self.key, anew=report.landed > 0)
        yield from self._tell(context, report)
        forget_handles(context)

    def _tell(self, context: dg.OpExecutionContext, report: ImportReport) -> Iterator[dg.MaterializeResult[Any]]:
        """Show the goal in the UI, or raise where it failed; what landed is shown in either case."""
        self._count_profiles(context, report)
        if report.state != "failed" and report.landed:
            yield dg.MaterializeResult(metadata=metadata_of(report))
        else:
            self._log(context, report)

    def _log(self, context: dg.OpExecutionContext, report: ImportReport) -> None:
        """Log what a run did that does not end with the goal's materialization.

        Raises:
            dagster.Failure: The goal failed.
        """
        if report.landed:
            context.log_event(dg.AssetMaterialization(self.key, metadata=metadata_of(report)))
        elif report.state != "failed":
            context.log_event(dg.AssetObservation(self.key, metadata=idle_metadata_of(report)))
        if report.state == "failed":
            metadata = failure_metadata_of(report)
            raise dg.Failure(description=report.message, metadata=metadata, allow_retries=False)

    def _count_profiles(self, context: dg.OpExecutionContext, report: ImportReport) -> None:
        """Show how many profiles there are now, where the catalog shows them at all: where there are segments."""
        if report.landed and report.profiles_total is not None and self.profiles.segments:
            count = {"dagster/row_count": report.profiles_total}
            context.log_event(dg.AssetMaterialization(PROFILES, metadata=count))

    def _run(self, context: dg.OpExecutionContext, handle: Handle | None = None) -> ImportRun:
        folder = data_folder()
        staging = Path(handle["staging"]) if handle and handle["staging"] else None
        return ImportRun(
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

    def _attempt(self, context: dg.OpExecutionContext, run: ImportRun, doing: str, work: Callable[[], T]) -> T:
        watcher().phase(self.unique, doing)

        def give_up(error: CdpSyncError) -> None:
            remove(run.folder)
            report = ImportReport(self.goal.name, error=str(error))
            if not isinstance(error, WarehouseUnusable | WarehouseLocked):
                record_failure(run.warehouse, run, report)
                # One second for the warehouse: the run has failed before its end.
                warehouse = replace(run.warehouse, lock_timeout=_PATIENCE)
                note_import_checks(context, warehouse, self.key, anew=False)
            watcher().done(self.unique, report)

        return attempt(context.log, work, give_up)
