"""Killing `dagster dev` with its daemon, and runs that are held in the middle of a step."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import paramiko
import pytest
from dagster_graphql import DagsterGraphQLClient

from cdp_sync.orchestration.runs.process import Process
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.orchestration.test_webserver import connected, ended
from cdp_sync_tests.projects import Project, goal

REPOSITORY = Path(__file__).parents[2]
HEAD = "Email,FirstName,Total\n"
_PATIENCE = 120.0

FAILED, SUCCEEDED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@dataclass
class Gate:
    """A point where the server holds its clients until it is opened."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def pass_through(self) -> None:
        """Record the arrival, and wait until the gate is opened."""
        self.reached.set()
        self.opened.wait(_PATIENCE)


def hold_listing(gate: Gate) -> dict[str, Any]:
    """Hold each client that lists a folder."""

    def list_folder(files: Files, path: str) -> list[paramiko.SFTPAttributes] | int:
        gate.pass_through()
        return Files.list_folder(files, path)

    return {"list_folder": list_folder}


def hold_the_second_file(gate: Gate) -> dict[str, Any]:
    """Hold each client that opens customers_2.csv."""

    def opened(files: Files, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        if path.endswith("customers_2.csv"):
            gate.pass_through()
        return Files.open(files, path, flags, attr)

    return {"open": opened}


@contextmanager
def held(project: Project, hold: Callable[[Gate], dict[str, Any]]) -> Iterator[Gate]:
    """Make the server hold its clients inside the block."""
    gate = Gate()
    project.sandbox.files = type("Holding", (Files,), hold(gate))
    try:
        yield gate
    finally:
        project.sandbox.files = Files
        gate.opened.set()


@dataclass
class DagsterDev:
    """A running `dagster dev`."""

    process: subprocess.Popen[bytes]
    client: DagsterGraphQLClient
    instance: dg.DagsterInstance

    def launch(self) -> str:
        """Launch the connection as the UI does, and return the run's id."""
        return self.client.submit_job_execution(
            "shop_sync", repository_location_name="cdp_sync", repository_name="__repository__"
        )

    def process_of(self, run_id: str) -> Process:
        """Return the process that a run recorded."""
        run = self.instance.get_run_by_id(run_id)
        process = Process.of(run) if run else None
        assert process
        return process

    def kill_everything(self) -> None:
        """Kill all of its processes at once, as a power failure does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_PATIENCE)


@contextmanager
def up(project: Project) -> Iterator[DagsterDev]:
    """Run `dagster dev` in the project's folder, with the repository's own settings."""
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, project.folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with (project.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=project.folder, env=project.environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            with dg.DagsterInstance.from_config(str(project.folder)) as instance:
                yield DagsterDev(process, connected(process, port), instance)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop `dagster dev` as Ctrl-C does, and kill the processes that remain."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(_PATIENCE)
    for number in processes_of(process.pid):
        os.kill(number, signal.SIGKILL)


def processes_of(session: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for a change by another process."""
    deadline = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def names(project: Project) -> list[str]:
    """Return the imported first names."""
    with project.warehouse.open("read") as session:
        return [name for (name,) in session.rows("select first_name from warehouse.profile order by 1")]


def leftovers(project: Project) -> list[Path]:
    """Return the leftovers of runs in the data folder."""
    return [path for folder in ("staging", "downloads") for path in (project.data / folder).glob("*")]


@pytest.fixture
def shop(project: Project) -> Project:
    """A connection with two files to import."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", HEAD + "ada@example.com,Ada,1\n")
    project.deliver("/inbox/customers_2.csv", HEAD + "bob@example.com,Bob,2\n", minutes=1)
    return project


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_run_frees_its_slot(shop: Project) -> None:
    """A killed run that holds the warehouse's slot fails, and the next one gets the slot at once."""
    with up(shop) as running:
        with held(shop, hold_listing) as gate:
            run_id = running.launch()
            assert gate.reached.wait(_PATIENCE)
            storage = running.instance.event_log_storage
            assert storage.get_concurrency_run_ids() == {run_id}
            os.kill(running.process_of(run_id).pid, signal.SIGKILL)
            assert ended(running.client, run_id) == FAILED
        began = time.monotonic()
        assert ended(running.client, running.launch()) == SUCCEEDED
        assert storage.get_concurrency_run_ids() == set()
    assert time.monotonic() - began < _PATIENCE
    assert names(shop) == ["Ada", "Bob"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_restart_recovers_from_a_kill_of_all_processes(shop: Project) -> None:
    """After a kill of all processes the restart fails the run, removes its rows, and imports its files as new."""
    with held(shop, hold_the_second_file) as gate, up(shop) as running:
        run_id = running.launch()
        assert gate.reached.wait(_PATIENCE)
        assert leftovers(shop)
        running.kill_everything()
        run = running.instance.get_run_by_id(run_id)
        assert run
        assert run.status == dg.DagsterRunStatus.STARTED
    with up(shop) as running:
        next_run = running.launch()
        assert ended(running.client, run_id) == FAILED
        wait_until(lambda: not leftovers(shop))
        assert ended(running.client, next_run) == SUCCEEDED
    assert names(shop) == ["Ada", "Bob"]
