"""The first step of an import goal over a platform's people: fetch their profiles."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from cdp_sync.importing import ImportRun
from cdp_sync.model import ImportRules, RemoteFile, kind_of
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.orchestration.goals.goal_asset import GoalOp
from cdp_sync.orchestration.goals.goal_steps import Handle
from cdp_sync.orchestration.goals.import_steps import ImportSteps
from cdp_sync.orchestration.runs.progress import watcher


@dataclass(frozen=True)
class SourceSteps(ImportSteps[ImportRules]):
    """An import goal over a platform's people and the steps that run it."""

    @property
    def ops(self) -> tuple[GoalOp, ...]:
        """The goal's ops."""
        fetches = "Fetch the platform's data and parse it into a staging table; hand on its name."
        return (GoalOp("fetch_profiles", fetches, self.fetch), *super().ops)

    def fetch(self, context: dg.OpExecutionContext) -> Handle:
        """Fetch what the goal reads and parse it into the staging table."""
        handle: Handle = {"started": time.time(), "waiting": [], "again": False, "staging": None}
        run = self._run(context)
        data_folder().sweep()
        self._attempt(context, run, "fetching", lambda: self._fetch(context, run))
        remove(run.folder)
        return {**handle, "staging": str(run.staging)}

    def _fetch(self, context: dg.OpExecutionContext, run: ImportRun) -> None:
        self.adopt(context)
        with self.client(context) as client:
            source = kind_of(self.connection).part("source")(client, self.goal)
            from cdp_sync.importing import fetch_profiles

            def progress(name: str, arrived: int) -> None:
                watcher().phase(self.unique, f"fetching {name}")
                watcher().arrived(self.unique, RemoteFile(datetime.now(UTC), name, arrived), arrived)

            asked = fetch_profiles(run, source, progress, tell=lambda doing: watcher().phase(self.unique, doing))
        if asked:
            context.log.info(asked)
