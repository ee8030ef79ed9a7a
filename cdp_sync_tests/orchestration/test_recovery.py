"""What is done about runs whose process is gone, and what is left alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG

from cdp_sync.orchestration.data_folder import DataFolder
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.recovery import Process, recover
from cdp_sync.orchestration.runs.run_tags import FORMER_PROCESS, PROCESS
from cdp_sync_tests.projects import INSTANCE, Project, goal

STARTED, CANCELING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING
FAILED, CANCELED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
THIS = Process.this()
ELSEWHERE = f"another-{THIS.host}:1:boot.1"


@pytest.fixture
def gone() -> str:
    """A process that has ended, as runs note it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return f"{THIS.host}:{process.pid}:"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder."""
    return DataFolder(tmp_path / "data")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with a pool of one slot, on disk."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE.replace("base_dir: dagster", f"base_dir: {home}"), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


def add(
    instance: dg.DagsterInstance, process: str | None, status: dg.DagsterRunStatus = STARTED, **tags: str
) -> dg.DagsterRun:
    """Note a run that a process works on."""
    noted = {PROCESS: process} if process else {}
    run = dg.DagsterRun(job_name="shop_sync", status=status, tags={"connection": "shop", **noted, **tags})
    return instance.add_run(run)


def state(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    """Return how a run is now."""
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found.status


def leave(folder: DataFolder, run: dg.DagsterRun) -> list[Path]:
    """Make what a run leaves that dies while it stages."""
    staging, downloads = folder.staging(run.run_id, "shop__customers"), folder.downloads(run.run_id, "shop__customers")
    left = [staging, staging.with_name(f"{staging.name}.wal"), downloads / "customers_1.csv"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return left


def test_a_run_without_a_process_fails_and_says_why(
    instance: dg.DagsterInstance, folder: DataFolder, gone: str
) -> None:
    """A person can read what happened and what to do."""
    run = add(instance, gone)
    assert recover(instance, folder) == [run.run_id]
    assert state(instance, run) == FAILED
    (event,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert event.dagster_event
    assert "The process of this run is gone" in (event.dagster_event.message or "")
    assert recover(instance, folder) == []


def test_a_run_with_the_former_tag_is_found(instance: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """A run that began before the tag was hidden and renamed."""
    run = add(instance, None, **{FORMER_PROCESS: gone})
    assert recover(instance, folder) == [run.run_id]


def test_a_run_that_somebody_stopped_counts_as_stopped(
    instance: dg.DagsterInstance, folder: DataFolder, gone: str
) -> None:
    """Its process died before it could say so; nothing failed."""
    run = add(instance, gone, CANCELING)
    recover(instance, folder)
    assert state(instance, run) == CANCELED


@pytest.mark.parametrize(
    "process",
    [str(THIS), f"{THIS.host}:{THIS.pid}:", ELSEWHERE, f"{THIS.host}:1:", "nonsense"],
    ids=["itself", "without its start", "elsewhere", "the first process", "nonsense"],
)
def test_a_run_whose_process_may_live_is_left_alone(
    process: str, instance: dg.DagsterInstance, folder: DataFolder
) -> None:
    """The same holds for processes of this machine that exist, of any owner, and for all of other machines."""
    run = add(instance, process)
    left = leave(folder, run)
    assert recover(instance, folder) == []
    assert state(instance, run) == STARTED
    assert all(path.exists() for path in left)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_another_process_of_the_same_number_is_another() -> None:
    """Numbers are given again; when a process began tells them apart."""
    assert not THIS.is_gone
    assert Process(THIS.host, THIS.pid, f"{THIS.began}0").is_gone
    assert Process(THIS.host, THIS.pid, "otherone.1").is_gone


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_nobody_has_asked_about_is_gone() -> None:
    """It has ended; that its parent has not noticed changes nothing."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = Process(socket.gethostname(), child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.is_gone
    child.wait()


def test_a_run_that_never_noted_a_process_is_given_five_minutes(
    instance: dg.DagsterInstance, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed before its first step, at whatever point; other jobs of the project need not note anything."""
    statuses = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTING, CANCELING)
    runs = [add(instance, None, status) for status in statuses]
    other = instance.add_run(dg.DagsterRun(job_name="own_job", status=dg.DagsterRunStatus.STARTING))
    for each in (runs[1], other):
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, each.job_name)
        instance.report_dagster_event(event, each.run_id)
    assert recover(instance, folder) == []
    late = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: late)
    assert sorted(recover(instance, folder)) == sorted(run.run_id for run in runs)
    assert [state(instance, run) for run in runs] == [FAILED, FAILED, FAILED, CANCELED]


def test_a_run_that_repeats_another_and_is_not_queued_yet_is_left_alone(
    instance: dg.DagsterInstance, folder: DataFolder, gone: str
) -> None:
    """Until it is queued it has the tags of the run before, which say that its process is gone."""
    status, tags = dg.DagsterRunStatus.NOT_STARTED, {"connection": "shop", PROCESS: gone}
    run = instance.add_run(
        dg.DagsterRun(job_name="shop_sync", status=status, tags=tags, parent_run_id="x", root_run_id="x")
    )
    assert recover(instance, folder) == []
    assert state(instance, run) == status


_KILLED_BEFORE_IT_STARTS = """
import os, signal, sys
import dagster as dg
from cdp_sync.cli import main

def make_run(instance, *arguments, make_run=dg.DagsterInstance.create_run_for_job, **options):
    make_run(instance, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

dg.DagsterInstance.create_run_for_job = make_run
main(["run", "shop"])
"""


@pytest.mark.slow
def test_a_run_that_was_killed_before_it_started_is_failed_by_the_next(project: Project) -> None:
    """From the command line, without a daemon: killed when the run was made and nothing of it had begun."""
    project.connect("shop", goal())
    environment = project.environment
    killed = subprocess.run([sys.executable, "-c", _KILLED_BEFORE_IT_STARTS], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_instance() as instance:
        (lost,) = instance.get_runs()
        assert lost.status == dg.DagsterRunStatus.NOT_STARTED
        subprocess.run([sys.executable, "-m", "cdp_sync.cli", "run", "shop"], env=environment, check=True)
        assert state(instance, lost) == FAILED
        assert "The process of this run is gone" in str(instance.all_logs(lost.run_id))


def test_what_a_crashed_run_left_is_removed(instance: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """That, and nothing of a run that goes on, that failed in a step, or that another instance knows."""
    lost = leave(folder, add(instance, gone))
    reported = leave(folder, add(instance, gone, FAILED))
    kept = [
        *leave(folder, add(instance, str(THIS))),
        *leave(folder, add(instance, gone, FAILED, **{RUN_FAILURE_REASON_TAG: "STEP_FAILURE"})),
        *leave(folder, dg.DagsterRun(job_name="shop_sync")),
    ]
    recover(instance, folder)
    assert [path for path in lost + reported if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []


def test_slots_of_runs_that_ended_are_free_at_once(kept: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """Whatever ended them; a run that goes on keeps its slot, and so does one whose process is still ending."""
    storage = kept.event_log_storage
    for number, (process, status) in enumerate(
        [(gone, STARTED), (gone, FAILED), (str(THIS), STARTED), (str(THIS), FAILED)]
    ):
        run = add(kept, process, status)
        storage.initialize_concurrency_limit_to_default(f"pool{number}")
        assert storage.claim_concurrency_slot(f"pool{number}", run.run_id, "step").is_claimed
    recover(kept, folder)
    claimed = [bool(storage.get_concurrency_info(f"pool{number}").claimed_slots) for number in range(4)]
    assert claimed == [False, False, True, True]


def test_every_run_notes_its_process(project: Project, instance: dg.DagsterInstance) -> None:
    """However it is started, before its first step: here by hand, of one asset and in this process."""
    project.connect("shop", goal())
    result = project.run("shop_sync", instance)
    run = instance.get_run_by_id(result.run_id)
    assert run
    assert Process.of(run) == THIS


def test_the_sensor_is_on_and_tells_what_it_did(project: Project, instance: dg.DagsterInstance, gone: str) -> None:
    """One for the project; nobody has to switch it on."""
    sensor = project.load().resolve_sensor_def("recovery")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    run = add(instance, gone)
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert tick.skip_message == f"Runs without a process: {run.run_id}."


def test_a_step_that_is_tried_again_without_its_staged_rows_says_what_to_do(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are swept, or went with a killed run; running the connection again is the way."""

    def stage_and_lose(*_rest: object, **_named: object) -> None:
        """Stand for a sweep between two steps."""

    monkeypatch.setattr("cdp_sync.importing.pipeline.parse_files", stage_and_lose)
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,1\n")
    result = project.run("shop_sync", instance)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "shop__customers.link_identifiers"
    assert "Run the connection instead" in str(failed.step_failure_data.error)
