"""The first step of an import goal over lists: fetch their profiles."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from cdp_sync.importing import GoalRun, stage_files
from cdp_sync.importing.sources.enrich import complete_rows
from cdp_sync.importing.sources.lists import fetch_lists, lacking_keys
from cdp_sync.importing.upserting.rivals import refuse_rivals
from cdp_sync.model import FetchedFile, FileReport, ListGoal, RemoteFile, SailthruConnection
from cdp_sync.model.counting import counted
from cdp_sync.model.list_goal import ListImport
from cdp_sync.orchestration.data_folder import data_folder, remove
from cdp_sync.orchestration.goals.goal_steps import Handle
from cdp_sync.orchestration.goals.import_steps import ImportSteps
from cdp_sync.orchestration.runs.progress import watcher


@dataclass(frozen=True)
class ListSteps(ImportSteps[ListGoal]):
    """An import goal over lists and the steps that run it."""

    connection: SailthruConnection

    @property
    def importing(self) -> ListImport:
        """The goal as importing knows it."""
        return self.goal.as_import(self.connection.time_zone, self.profiles)

    def fetch(self, context: dg.OpExecutionContext) -> Handle:
        """Have the lists exported, bring them here and parse them into the staging table."""
        handle: Handle = {"started": time.time(), "waiting": [], "again": False, "staging": None}
        run = self._run(context)
        data_folder().sweep()
        self._attempt(context, run, "fetching lists", lambda: self._fetch(context, run))
        remove(run.folder)
        return {**handle, "staging": str(run.staging)}

    def _fetch(self, context: dg.OpExecutionContext, run: GoalRun) -> None:
        self.adopt(context)
        refuse_rivals(run, [(name, None, None) for name in self.goal.lists])
        with self.client(context) as platform:
            arriving = _Arriving(fetch_lists(platform, self.goal, run.folder, progress=self._progress))
            staged = {report.path for report in stage_files(run, arriving) if report.state == "staged"}
            lists = [fetched for fetched in arriving.files if fetched.remote.path in staged]
            if lacking := lacking_keys(self.importing, lists):
                watcher().phase(self.unique, f"asking for {' and '.join(lacking)}")
                asked = complete_rows(run, platform, lists, lacking)
                context.log.info(f"Asked for {' and '.join(lacking)}: {counted(asked, 'user')}.")

    def _progress(self, name: str, arrived: int) -> None:
        watcher().phase(self.unique, f"fetching {name}")
        watcher().arrived(self.unique, RemoteFile(datetime.now(UTC), name, arrived), arrived)


@dataclass
class _Arriving:
    """Hands lists on as they arrive, and keeps where they are."""

    source: Iterable[FetchedFile | FileReport]
    files: list[FetchedFile] = field(default_factory=list)

    def __iter__(self) -> Iterator[FetchedFile | FileReport]:
        for arrived in self.source:
            if isinstance(arrived, FetchedFile):
                self.files.append(arrived)
            yield arrived
