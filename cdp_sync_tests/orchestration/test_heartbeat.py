"""Runs of other containers: alive, stopped for a while, killed, and back after they were given up."""

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync.orchestration.data_folder import DataFolder
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.heartbeat import beats_of
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.silence import SILENT_FOR, Silence, look
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.orchestration.shared_history import CONTAINER, Worker, wait_for, worker
from cdp_sync_tests.orchestration.test_crash import HEAD, held, hold_listing, hold_the_second_file, leftovers
from cdp_sync_tests.projects import Project, goal

FAILED, SUCCEEDED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
THIS = Process.this()
_PATIENCE = 120.0
STEP = 60.0
"""Seconds between two looks of a test's observer, by its clock."""


@cache
def has_containers() -> bool:
    """Return whether a process may have process ids of its own here."""
    if sys.platform != "linux":
        return False
    return subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_containers(), reason="needs Linux and the right to make namespaces"),
]


@pytest.fixture
def shop(shared: Project) -> Project:
    """A connection with two files to import, and a history in PostgreSQL."""
    shared.connect("shop", goal())
    shared.deliver("/inbox/customers_1.csv", HEAD + "ada@example.com,Ada,1\n")
    shared.deliver("/inbox/customers_2.csv", HEAD + "bob@example.com,Bob,2\n", minutes=1)
    return shared


@dataclass
class Observer:
    """Looks after runs as the sensor does, on another machine and by a clock of its own."""

    history: dg.DagsterInstance
    folder: DataFolder
    silence: Silence = field(default_factory=Silence)
    now: float = 0.0

    def look(self) -> list[str]:
        """Look a minute later; return the runs that are given up."""
        self.now += STEP
        self.silence = look(self.history, self.history.get_runs(), self.silence, self.now)
        return recover(self.history, self.folder, self.silence)

    def gives_up(self, run_id: str) -> bool:
        """Look until a run is given up; return whether it is in time."""
        # A sign of the moment before may be new to the first look.
        return any(run_id in self.look() for _ in range(int(SILENT_FOR / STEP) + 2))

    def sees_a_beat(self, run_id: str) -> None:
        """Wait for a beat that is not known yet."""
        before = beats_of(self.history, [run_id])
        wait_for(lambda: beats_of(self.history, [run_id]) != before or None)


def status(history: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    """Return the status of a run."""
    run = history.get_run_by_id(run_id)
    assert run
    return run.status


def landed(project: Project) -> tuple[list[tuple[str, int]], list[str]]:
    """Return the profiles with their totals, and the runs that have landed something."""
    with project.warehouse.open("read") as session:
        people = session.rows("select first_name, total::int from warehouse.profile order by all")
        runs = session.rows("select distinct run_id from warehouse.imported_file")
    return people, [run_id for (run_id,) in runs]


EVERYBODY = [("Ada", 1), ("Bob", 2)]


def test_a_run_that_lives_is_left_alone(shop: Project, tmp_path: Path) -> None:
    """A run of a container is left alone while it beats, and after it was stopped for less than the time allowed."""
    with (
        open_instance() as history,
        held(shop, hold_the_second_file) as gate,
        worker(shop, "run", "shop", within=CONTAINER) as running,
    ):
        assert gate.reached.wait(_PATIENCE)
        run_id, observer = running.run_id(history), Observer(history, DataFolder(tmp_path))
        run = history.get_run_by_id(run_id)
        process = Process.of(run) if run else None
        assert process
        assert process.host == THIS.host  # as in containers that were given one name
        assert not process.is_visible
        for _ in range(6):
            observer.sees_a_beat(run_id)
            assert observer.look() == []
        running.signal(signal.SIGSTOP)
        assert [observer.look() for _ in range(2)] == [[], []]  # a third may be three minutes after the last beat
        running.signal(signal.SIGCONT)
        observer.sees_a_beat(run_id)
        assert [observer.look() for _ in range(3)] == [[], [], []]
        gate.opened.set()
        assert running.ended() == 0
        assert status(history, run_id) == SUCCEEDED
        assert beats_of(history, [run_id]) == {}
    assert landed(shop) == (EVERYBODY, [run_id])


def test_a_killed_run_is_given_up(shop: Project, tmp_path: Path) -> None:
    """A killed run of a container fails and says so, its slot is free, and the connection can be run again."""
    with open_instance() as history:
        observer = Observer(history, DataFolder(tmp_path))
        with held(shop, hold_listing) as gate, worker(shop, "run", "shop", within=CONTAINER) as running:
            assert gate.reached.wait(_PATIENCE)
            run_id = running.run_id(history)
            observer.sees_a_beat(run_id)
            running.signal(signal.SIGKILL)
            running.ended()
            assert history.event_log_storage.get_concurrency_run_ids() == {run_id}
            assert recover(history, observer.folder) == []  # a single look cannot tell
            assert observer.gives_up(run_id)
        assert status(history, run_id) == FAILED
        (failure,) = history.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        assert f"{THIS.host} has shown no sign of life of this run for 3 minutes" in str(failure.dagster_event)
        assert history.event_log_storage.get_concurrency_run_ids() == set()
        assert beats_of(history, [run_id]) == {}
        with worker(shop, "run", "shop") as again:
            assert again.ended() == 0
    assert landed(shop)[0] == EVERYBODY


def given_up(shop: Project, history: dg.DagsterInstance, running: Worker, folder: Path) -> str:
    """Have the run of a worker given up, and run the connection again elsewhere; return the id of the first run."""
    run_id, observer = running.run_id(history), Observer(history, DataFolder(folder))
    assert observer.gives_up(run_id)
    shop.sandbox.files = Files  # which holds no later client
    with worker(shop, "run", "shop") as again:
        assert again.ended() == 0
    return run_id


def test_a_process_that_comes_back_ends_itself(shop: Project, tmp_path: Path) -> None:
    """A process that goes on after its run was given up ends itself, even while it waits for a server."""
    with (
        open_instance() as history,
        held(shop, hold_the_second_file) as gate,
        worker(shop, "run", "shop", within=CONTAINER) as running,
    ):
        assert gate.reached.wait(_PATIENCE)
        running.signal(signal.SIGSTOP)
        run_id = given_up(shop, history, running, tmp_path)
        running.signal(signal.SIGCONT)
        assert running.ended() == 1
        assert not gate.opened.is_set()
        assert status(history, run_id) == FAILED
        people, runs = landed(shop)
    assert people == EVERYBODY
    assert run_id not in runs
    assert "which ends itself" in (shop.folder / "worker.log").read_text()


def test_a_process_that_comes_back_lands_nothing(shop: Project, tmp_path: Path) -> None:
    """A process that does not know yet that its run was given up stages its rows, and is refused when it writes."""
    with (
        open_instance() as history,
        held(shop, hold_the_second_file) as gate,
        worker(shop, "run", "shop", within=CONTAINER, BEAT_EVERY="3600") as running,
    ):
        assert gate.reached.wait(_PATIENCE)
        run_id = given_up(shop, history, running, tmp_path)
        gate.opened.set()
        assert running.ended() == 1
        assert status(history, run_id) == FAILED
        people, runs = landed(shop)
    assert people == EVERYBODY
    assert run_id not in runs
    assert "was ended while its process did not answer" in (shop.folder / "worker.log").read_text()


def test_a_process_that_is_stopped_while_it_writes_lands_once(shop: Project) -> None:
    """A process that stops in its transaction keeps the warehouse: it lands when it goes on, and the next run nothing.

    Its run was ended meanwhile, and the next run waits until it is done.
    """
    summed = [{"field": "FirstName", "property": "first_name"}, {"field": "Total", "property": "total", "mode": "sum"}]
    shop.connect("shop", goal(map=summed))
    with (
        open_instance() as history,
        worker(shop, "run", "shop", STOP_BEFORE_COMMIT="1", BEAT_EVERY="3600") as running,
    ):
        run_id = running.run_id(history)
        running.stops_itself()
        run = history.get_run_by_id(run_id)
        assert run
        history.report_run_failed(run, "Another machine has given it up.")
        with worker(shop, "run", "shop") as again:
            wait_for(lambda: len(history.get_runs()) > 1 or None)
            running.signal(signal.SIGCONT)
            running.ended()
            assert again.ended() == 0
    assert landed(shop) == (EVERYBODY, [run_id])


def test_the_next_run_of_a_machine_removes_what_a_killed_one_left(shop: Project) -> None:
    """What a killed run of a machine has staged goes when the next run of the machine begins."""
    with open_instance() as history:
        with held(shop, hold_the_second_file) as gate, worker(shop, "run", "shop") as running:
            assert gate.reached.wait(_PATIENCE)
            run_id = running.run_id(history)
            running.signal(signal.SIGKILL)
            running.ended()
            assert leftovers(shop)
            run = history.get_run_by_id(run_id)
            assert run
            history.report_run_failed(run, "Another machine has given it up.")
        with worker(shop, "run", "shop") as again:
            assert again.ended() == 0
    assert leftovers(shop) == []
