"""A project whose history of runs lies in PostgreSQL, as it does where several machines execute runs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import dagster as dg
import pytest

from cdp_sync.orchestration.runs.process import Process
from cdp_sync.scaffold import project as scaffold
from cdp_sync_tests.projects import INSTANCE, Project
from cdp_sync_tests.services import Service, postgres

T = TypeVar("T")

SECRET = "velvet-otter-19"  # the server takes any password
_PATIENCE = 120.0

_RUN = """
import os, signal, sys
from cdp_sync.orchestration.runs import heartbeat
heartbeat.EVERY = float(os.environ.get("BEAT_EVERY", "0.1"))
if os.environ.get("STOP_BEFORE_COMMIT"):
    from cdp_sync.importing.upserting import upsert
    write_run = upsert.write_run

    def stop_and_write(*arguments):
        os.kill(os.getpid(), signal.SIGSTOP)
        write_run(*arguments)

    upsert.write_run = stop_and_write
from cdp_sync.cli import main
main(sys.argv[1:])
"""
"""The command, in a process that beats often, so that tests need not wait, and may stop itself in a transaction."""

CONTAINER = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
"""Starts a process with process ids of its own, as a container has them; the host's name stays the same."""


@pytest.fixture(scope="session")
def server() -> Iterator[Service]:
    """PostgreSQL."""
    with postgres() as started:
        yield started


@pytest.fixture
def shared(project: Project, server: Service) -> Project:
    """A project whose history lies in a database of its own."""
    move_history(project.folder, server)
    return project


def move_history(folder: Path, server: Service) -> str:
    """Let the history of a folder's project lie in a new database, whose name is returned."""
    name = f"runs_{uuid4().hex}"
    server.database(name)
    url = f"postgresql+psycopg2://{server.user}:{SECRET}@{server.host}:{server.port}/{name}"
    settings = INSTANCE.replace("{sqlite: {base_dir: dagster}}", f"{{postgres: {{postgres_url: '{url}'}}}}")
    assert url in settings
    (folder / "dagster.yaml").write_text(settings, encoding="utf-8")
    return name


def give_workers(folder: Path, server: Service, broker: Service, *, each_second: bool = False) -> dict[str, str]:
    """Write the settings of a project with workers, for a history in a new database; return the variables they name.

    With `each_second` the daemon looks at the queue every second, not every five.
    """
    files = Path(scaffold.__file__).parent
    settings = (files / "workers" / "dagster.yaml").read_text("utf-8").replace("port: 5432", f"port: {server.port}")
    if each_second:
        settings = settings.replace("class: RunQueue", "class: RunQueue\n  config: {dequeue_interval_seconds: 1}")
    (folder / "dagster.yaml").write_text(settings, "utf-8")
    shutil.copy(files / "files" / "workspace.yaml", folder)
    name = f"runs_{uuid4().hex}"
    server.database(name)
    return {
        "CDP_SYNC_POSTGRES_HOST": server.host,
        "CDP_SYNC_POSTGRES_USER": server.user,
        "CDP_SYNC_POSTGRES_DATABASE": name,
        "PGPASSWORD": SECRET,
        "CDP_SYNC_BROKER": f"redis://{broker.host}:{broker.port}/{broker.database_number()}",
    }


@dataclass(frozen=True)
class Worker:
    """A process that executes `cdp-sync` on a project."""

    process: subprocess.Popen[str]

    def run_id(self, instance: dg.DagsterInstance) -> str:
        """Return the id of the run that it works on, as soon as the run has noted a process."""
        return wait_for(lambda: next((run.run_id for run in instance.get_runs() if self._works_on(run)), None))

    def _works_on(self, run: dg.DagsterRun) -> bool:
        return run.status == dg.DagsterRunStatus.STARTED and Process.of(run) is not None

    def stops_itself(self) -> None:
        """Wait until it has stopped itself."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T" or None)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes: those of a container are in its group."""
        os.killpg(self.process.pid, number)

    def ended(self) -> int:
        """Wait until it has ended, and return its exit status."""
        return self.process.wait(_PATIENCE)


@contextmanager
def worker(project: Project, *arguments: str, within: Sequence[str] = (), **variables: str) -> Iterator[Worker]:
    """Execute a command of `cdp-sync` in a process of its own, such as one in a container."""
    command = [*within, sys.executable, "-c", _RUN, *arguments]
    with (project.folder / "worker.log").open("a") as log:
        process = subprocess.Popen(
            command, env={**project.environment, **variables}, stdout=log, stderr=log, text=True, start_new_session=True
        )
    try:
        yield Worker(process)
    finally:
        for number in (signal.SIGCONT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        process.wait(_PATIENCE)


def wait_for(look: Callable[[], T | None]) -> T:
    """Wait until another process has done something, and return what is found then."""
    until = time.monotonic() + _PATIENCE
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.05)  # the history does not call
    return found
