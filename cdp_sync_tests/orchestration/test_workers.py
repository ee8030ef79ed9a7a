"""Runs on workers: real PostgreSQL and redis, the daemon that empties the queue, and workers as processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from cdp_sync.orchestration.data_folder import DataFolder
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync.scaffold import project as scaffold
from cdp_sync_tests.orchestration.daemon import daemon
from cdp_sync_tests.orchestration.shared_history import CONTAINER, SECRET, give_workers, wait_for, worker
from cdp_sync_tests.orchestration.test_crash import HEAD, held, hold_the_second_file
from cdp_sync_tests.orchestration.test_heartbeat import EVERYBODY, Observer, has_containers, landed
from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.services import Service, redis

pytestmark = pytest.mark.slow

_PATIENCE = 120.0
_SETTINGS = Path(scaffold.__file__).parent / "workers" / "dagster.yaml"


@pytest.fixture(scope="session")
def broker() -> Iterator[Service]:
    """Redis."""
    with redis() as started:
        yield started


@dataclass(frozen=True)
class Cluster:
    """A project whose runs workers execute."""

    project: Project
    variables: dict[str, str]

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Execute `cdp-sync` and wait for it."""
        command = [sys.executable, "-m", "cdp_sync.cli", *arguments]
        environment = {**os.environ, **self.variables, **more}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=_PATIENCE,
            cwd=self.project.folder,
        )  # fmt: skip

    def daemon(self, **more: str) -> AbstractContextManager[None]:
        """Run the daemon that takes runs from the queue."""
        return daemon(self.project.folder, {**os.environ, **self.variables, **more})

    def log_of_workers(self) -> str:
        """Return what the workers have printed."""
        return (self.project.folder / "worker.log").read_text("utf-8")


@pytest.fixture
def cluster(project: Project, server: Service, broker: Service, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A connection with two files to import, and the settings that `init --workers` writes."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", HEAD + "ada@example.com,Ada,1\n")
    project.deliver("/inbox/customers_2.csv", HEAD + "bob@example.com,Bob,2\n", minutes=1)
    variables = give_workers(project.folder, server, broker)
    for each, value in variables.items():
        monkeypatch.setenv(each, value)
    return Cluster(project, project.environment | variables)


def last_run(history: dg.DagsterInstance) -> dg.DagsterRun:
    """Return the latest run."""
    return history.get_runs(limit=1)[0]


def test_a_worker_executes_a_run_that_is_followed(cluster: Cluster, tmp_path: Path) -> None:
    """`run` queues, a worker executes and stages on its own disk, and the answer is that of a run in place."""
    staging = tmp_path / "own"
    with (
        cluster.daemon(),
        worker(cluster.project, "worker", CDP_SYNC_STAGING=str(staging)) as running,
        open_instance() as history,
    ):
        answer = cluster.run("run", "shop", "--json")
        assert answer.returncode == 0, answer.stderr + cluster.log_of_workers()
        summary = json.loads(answer.stdout)
        assert summary["state"] == "success"
        assert [(each["goal"], each["state"], each["profiles_created"]) for each in summary["goals"]] == [
            ("customers", "success", 2)
        ]
        run = history.get_run_by_id(summary["run_id"])
        process = Process.of(run) if run else None
        assert process
        assert process.pid != running.process.pid  # each run has a process of its own
        assert staging.is_dir()
        assert not (cluster.project.data / "staging").exists()
        here = cluster.run("run", "shop", "--here", "--again", "--json")
        assert json.loads(here.stdout)["goals"][0]["files"]  # a report of this process has its files
        # A goal that fails: the same words, and the status.
        cluster.project.deliver("/inbox/customers_3.csv", b"\x00\x01\x02 no table", minutes=2)
        failed = cluster.run("run", "shop", "--json")
        assert failed.returncode == 1
        assert json.loads(failed.stdout)["state"] == "failed"
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
    assert landed(cluster.project)[0] == EVERYBODY
    assert SECRET not in cluster.log_of_workers()


@pytest.mark.skipif(not has_containers(), reason="needs Linux and the right to make namespaces")
def test_the_run_of_a_killed_worker_starts_over_on_another(cluster: Cluster, tmp_path: Path) -> None:
    """The heartbeat ends the run of a killed worker, and the next one imports every row once, on another worker."""
    project = cluster.project
    with cluster.daemon(), open_instance() as history, ExitStack() as first:
        killed = first.enter_context(worker(project, "worker", within=CONTAINER, CDP_SYNC_STAGING=str(tmp_path / "a")))
        with held(project, hold_the_second_file) as gate:
            following = first.enter_context(worker(project, "run", "shop"))
            assert gate.reached.wait(_PATIENCE)
            run_id = wait_for(lambda: last_run(history).run_id if Process.of(last_run(history)) else None)
            observer = Observer(history, DataFolder(project.data))
            observer.sees_a_beat(run_id)
            killed.signal(signal.SIGKILL)
            killed.ended()
            assert observer.gives_up(run_id)
            assert following.ended() == 1  # it was followed to its end
        project.sandbox.files = Files  # which holds no later client
        with worker(project, "worker", CDP_SYNC_STAGING=str(tmp_path / "b")):
            again = cluster.run("run", "shop")
            assert again.returncode == 0, again.stderr + cluster.log_of_workers()
    people, runs = landed(project)
    assert people == EVERYBODY
    assert run_id not in runs


def test_a_run_is_ended_from_the_ui(cluster: Cluster) -> None:
    """The worker stops the process, recovery records the end, nothing lands, and the worker goes on with others."""
    project = cluster.project
    with cluster.daemon(), open_instance() as history, worker(project, "worker"):
        with held(project, hold_the_second_file) as gate, worker(project, "run", "shop") as following:
            assert gate.reached.wait(_PATIENCE)
            run = wait_for(lambda: last_run(history) if Process.of(last_run(history)) else None)
            process = Process.of(run)
            assert process
            history.report_run_canceling(run)  # as the webserver does
            assert history.run_coordinator.cancel_run(run.run_id)
            wait_for(lambda: process.is_gone(one_machine=False) or None)
            recover(history, DataFolder(project.data))
            assert following.ended() == 1
        canceled = history.get_run_by_id(run.run_id)
        assert canceled
        assert canceled.status == dg.DagsterRunStatus.CANCELED
        project.sandbox.files = Files  # which holds no later client
        assert cluster.run("run", "shop").returncode == 0
    people, runs = landed(project)
    assert people == EVERYBODY
    assert run.run_id not in runs


def test_a_run_that_cannot_be_sent_fails(cluster: Cluster) -> None:
    """Where redis does not answer as the daemon sends a run, the run fails, and its answer says why."""
    with cluster.daemon(CDP_SYNC_BROKER="redis://127.0.0.1:9/0"), open_instance() as history:
        unsent = cluster.run("run", "shop", "--json")
        assert unsent.returncode == 1
        assert "Celery" in json.loads(unsent.stdout)["message"]
        assert last_run(history).status == dg.DagsterRunStatus.FAILURE


def test_a_worker_refuses_another_warehouse(cluster: Cluster, tmp_path: Path) -> None:
    """A worker whose warehouse is not the one that the history notes does not start, and says which one it is."""
    assert cluster.run("run", "shop", "--here").returncode == 0
    missing = cluster.run("worker", CDP_SYNC_DATA=str(tmp_path / "elsewhere"))
    assert missing.returncode == 1
    assert f"There is no warehouse in {Process.this().host}:{tmp_path / 'elsewhere'}" in missing.stderr
    other = cluster.run("worker", CDP_SYNC_WAREHOUSE=str(_another_warehouse(tmp_path)))
    assert other.returncode == 1
    assert "is another one" in other.stderr


def _another_warehouse(folder: Path) -> Path:
    from cdp_sync.warehouse import Warehouse

    made = Warehouse(folder / "other.duckdb")
    with made.open("write"):
        return made.path


def test_what_a_worker_needs_is_missing(cluster: Cluster) -> None:
    """Without redis, without PostgreSQL and with another launcher a worker ends with what to do, within a minute."""
    broken = cluster.run("worker", CDP_SYNC_BROKER="redis://user:hunter2@127.0.0.1:9/0")
    assert broken.returncode == 1
    assert "The broker of runs, 127.0.0.1:9/0, does not answer" in broken.stderr
    assert "hunter2" not in broken.stderr
    silent = cluster.run("worker", CDP_SYNC_POSTGRES_HOST="127.0.0.2")
    assert silent.returncode == 1
    assert "The database with Dagster's history does not answer: connection to server" in silent.stderr
    assert SECRET not in silent.stderr
    file = cluster.project.folder / "dagster.yaml"
    settings = yaml.safe_load(file.read_text("utf-8"))
    del settings["run_launcher"]
    file.write_text(yaml.safe_dump(settings), "utf-8")
    usual = cluster.run("worker")
    assert usual.returncode == 1
    assert "dagster.yaml launches runs by DefaultRunLauncher" in usual.stderr


def test_the_settings_differ_from_the_usual_ones_where_they_have_to() -> None:
    """With workers the settings are the usual ones but for storage, launcher, and the times of monitoring."""
    usual, workers = (_read(file) for file in (_SETTINGS.parents[1] / "files" / "dagster.yaml", _SETTINGS))
    differing = {name for name in usual | workers if usual.get(name) != workers.get(name)}
    assert differing == {"storage", "run_launcher", "local_artifact_storage", "run_monitoring"}


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return read
