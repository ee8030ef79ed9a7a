"""Dagster's own processes on a project, as in production: `dagster dev` with all of them, or the daemon alone."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cdp_sync_tests.projects import Project

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
_LOCATION = {"repositoryLocationName": "cdp_sync.definitions", "repositoryName": "__repository__"}
_PATIENCE = 180.0
_HEEDING_INTERRUPTS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Restores the signal handling that a shell changes for background processes."""

RUNS = """
query($filter: RunsFilter) { runsOrError(filter: $filter, limit: 100) { ... on Runs { results {
    runId status jobName startTime tags { key value } } } } }
"""
LAUNCH = """
mutation($job: String!, $selector: String!, $repository: String!) { launchRun(executionParams: {
    selector: {repositoryLocationName: $selector, repositoryName: $repository, jobName: $job}, runConfigData: {}
}) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
AGAIN = """
mutation($parent: String!) { launchRunReexecution(reexecutionParams: {parentRunId: $parent, strategy: FROM_FAILURE}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
STEPS = """
query($id: ID!) { runOrError(runId: $id) { ... on Run { stepStats { stepKey status } } } }
"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
BACKFILL_STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""
PARTITIONS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetPartitionStatuses {
    ... on DefaultPartitionStatuses { materializedPartitions failedPartitions unmaterializedPartitions } } } } }
"""


@dataclass(frozen=True)
class Ui:
    """The GraphQL API, called as the UI calls it."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the answer to a query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert not answer.get("errors"), answer
        return dict(answer["data"])

    def runs(self, **tags: str) -> list[dict[str, Any]]:
        """Return the runs with these tags, newest first, each with its tags as a dict."""
        asked = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        found = self.ask(RUNS, filter=asked)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def launch(self, job: str) -> str:
        """Launch a job as the UI's button does; return the run's id."""
        answer = self.ask(LAUNCH, job=job, selector=_LOCATION["repositoryLocationName"], repository="__repository__")
        assert answer["launchRun"]["__typename"] == "LaunchRunSuccess", answer
        return str(answer["launchRun"]["run"]["runId"])

    def again_from_failure(self, run_id: str) -> str:
        """Re-execute a run from its failed step; return the new run's id."""
        answer = self.ask(AGAIN, parent=run_id)["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def steps(self, run_id: str) -> set[str]:
        """Return the executed steps of a run."""
        return {step["stepKey"] for step in self.ask(STEPS, id=run_id)["runOrError"]["stepStats"]}

    def backfill(self, asset: Sequence[str], partitions: Sequence[str]) -> str:
        """Launch a backfill of these partitions; return its id."""
        params = {"assetSelection": [{"path": list(asset)}], "partitionNames": list(partitions)}
        answer = self.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        """Return the status of a backfill."""
        return str(self.ask(BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    def partitions(self, asset: Sequence[str]) -> dict[str, set[str]]:
        """Return an asset's partitions by the status that the UI shows."""
        answer = self.ask(PARTITIONS, key={"path": list(asset)})["assetNodeOrError"]["assetPartitionStatuses"]
        failed = set(answer["failedPartitions"])
        missing = set(answer["unmaterializedPartitions"]) - failed
        return {"imported": set(answer["materializedPartitions"]), "failed": failed, "missing": missing}

    def ended(self, run_id: str, status: str = "SUCCESS") -> dict[str, Any]:
        """Wait until a run ends with this status; return it."""

        def look() -> dict[str, Any] | None:
            (run,) = [run for run in self.runs() if run["runId"] == run_id]
            assert run["status"] not in {"SUCCESS", "FAILURE", "CANCELED"} - {status}, run
            return run if run["status"] == status else None

        return self.wait(look, f"run {run_id} to end with {status}")

    def next_run(self, known: Sequence[Mapping[str, Any]], status: str = "SUCCESS", **tags: str) -> dict[str, Any]:
        """Wait until a new run with these tags has ended; return it."""
        before = {run["runId"] for run in known}
        found = self.wait(lambda: [run for run in self.runs(**tags) if run["runId"] not in before], f"a run of {tags}")
        return self.ended(found[-1]["runId"], status)

    def wait(self, look: Callable[[], T | None], what: str, patience: float = _PATIENCE) -> T:
        """Poll until a function returns a value; return it."""
        deadline = time.monotonic() + patience
        while True:
            assert self.process.poll() is None
            with suppress(OSError):
                if found := look():
                    return found
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.5)  # the UI's own queries are answered, not pushed


@contextmanager
def dagster_dev(project: Project, **environment: str) -> Iterator[Ui]:
    """Run `dagster dev` in the project's folder, with the repository's own dagster.yaml."""
    if not (project.folder / "data" / "dagster").exists():
        shutil.copy(REPOSITORY / "dagster.yaml", project.folder / "dagster.yaml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dev = [sys.executable, "-m", "dagster", "dev", "-m", "cdp_sync.definitions", "-h", "127.0.0.1", "-p", str(port)]
    command = [sys.executable, "-c", _HEEDING_INTERRUPTS, *dev]
    with (project.folder / "dagster.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env={**project.environment, **environment},
            stdout=log,
            stderr=log,
            process_group=0,
        )
        try:
            ui = Ui(port, process)
            ui.wait(lambda: ui.ask("query { version }"), "the UI")
            yield ui
            process.send_signal(signal.SIGINT)
            process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


@contextmanager
def daemon(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run Dagster's daemon alone, which takes runs from the queue."""
    command = [sys.executable, "-W", "ignore", "-m", "dagster._daemon", "run", "-w", "workspace.yaml"]
    own = {**environment, "DAGSTER_HOME": str(folder)}
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=own, stdout=log, stderr=log, process_group=0)
    try:
        yield
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
