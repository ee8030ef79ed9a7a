"""Recovery from runs whose process is gone, and which runs it leaves alone."""

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

from cdp_sync.orchestration.dagster_internals import note
from cdp_sync.orchestration.data_folder import DataFolder
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.run_tags import FORMER_PROCESS, PROCESS
from cdp_sync_tests.projects import INSTANCE, Project, goal

STARTED, CANCELING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING
FAILED, CANCELED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
THIS = Process.this()
ELSEWHERE = f"another-{THIS.host}:1:boot.1"


@pytest.fixture
def gone() -> str:
    """A process that has ended, in the form that runs record."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return f"{THIS.host}:{process.pid}:"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder."""
    return DataFolder(tmp_path / "data")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk with a pool of one slot."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE.replace("base_dir: dagster", f"base_dir: {home}"), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


def add(
    instance: dg.DagsterInstance, process: str | None, status: dg.DagsterRunStatus = STARTED, **tags: str
) -> dg.DagsterRun:
    """Record a run that a process executes."""
    noted = {PROCESS: process} if process else {}
    run = dg.DagsterRun(job_name="shop_sync", status=status, tags={"connection": "shop", **noted, **tags})
    return instance.add_run(run)


def state(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    """Return the status of a run."""
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found.status


def leave(folder: DataFolder, run: dg.DagsterRun) -> list[Path]:
    """Create the leftovers of a run that dies while staging."""
    staging, downloads = folder.staging(run.run_id, "shop__customers"), folder.downloads(run.run_id, "shop__customers")
    left = [staging, staging.with_name(f"{staging.name}.wal"), downloads / "customers_1.csv"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return left


def test_a_run_without_a_process_fails_and_says_why(
    instance: dg.DagsterInstance, folder: DataFolder, gone: str
) -> None:
    """A run without a process fails; its message has the reason and the remedy."""
    run = add(instance, gone)
    assert recover(instance, folder) == [run.run_id]
    assert state(instance, run) == FAILED
    (event,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert event.dagster_event
    assert "The process of this run is gone" in (event.dagster_event.message or "")
    assert recover(instance, folder) == []


def test_a_run_with_the_former_tag_is_found(instance: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """A run with the tag of a former version is found."""
    run = add(instance, None, **{FORMER_PROCESS: gone})
    assert recover(instance, folder) == [run.run_id]


def test_a_canceled_run_stays_canceled(instance: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """A run that was canceled before its process died counts as canceled, not failed."""
    run = add(instance, gone, CANCELING)
    recover(instance, folder)
    assert state(instance, run) == CANCELED


@pytest.mark.parametrize(
    "process",
    [str(THIS), f"{THIS.host}:{THIS.pid}:", ELSEWHERE, f"{THIS.host}:1:", "nonsense"],
    ids=["itself", "without its start", "elsewhere", "the first process", "nonsense"],
)
def test_a_run_whose_process_may_exist_is_left_alone(
    process: str, instance: dg.DagsterInstance, folder: DataFolder
) -> None:
    """A run whose process exists on this machine, of any owner, or belongs to another machine is left alone."""
    run = add(instance, process)
    left = leave(folder, run)
    assert recover(instance, folder) == []
    assert state(instance, run) == STARTED
    assert all(path.exists() for path in left)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_reused_process_id_is_recognized() -> None:
    """A process id may be reused; the start time distinguishes the processes."""
    boot, ticks, namespace = THIS.began.split(".")
    assert not THIS.is_gone(one_machine=True)
    assert Process(THIS.host, THIS.pid, f"{boot}.{ticks}0.{namespace}").is_gone(one_machine=False)
    assert Process(THIS.host, THIS.pid, f"{boot}.{ticks}0").is_gone(one_machine=False)  # noted by a former version


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_of_another_machine_is_not_judged() -> None:
    """A process of another boot or namespace is another machine's or container's, whatever the host's name.

    Where one machine alone has the history, a process from before a boot has ended.
    """
    boot, ticks, namespace = THIS.began.split(".")
    for began in (f"otherone.{ticks}.{namespace}", f"{boot}.{ticks}.1", f"{boot}.1.1"):
        process = Process(THIS.host, THIS.pid, began)
        assert not process.is_visible
        assert not process.is_gone(one_machine=False)
    assert Process(THIS.host, THIS.pid, f"otherone.{ticks}.{namespace}").is_gone(one_machine=True)
    assert not Process(f"another-{THIS.host}", THIS.pid, "otherone.1.1").is_gone(one_machine=True)
    assert not Process(THIS.host, THIS.pid, f"{boot}.1.1").is_gone(one_machine=True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_unreaped_process_is_gone() -> None:
    """An ended process that its parent has not reaped is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = Process(socket.gethostname(), child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.is_gone(one_machine=False)
    child.wait()


def test_a_run_without_a_recorded_process_has_five_minutes(
    instance: dg.DagsterInstance, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of ours without a recorded process is failed after five minutes; other jobs record none."""
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


def test_a_re_execution_that_is_not_queued_yet_is_left_alone(
    instance: dg.DagsterInstance, folder: DataFolder, gone: str
) -> None:
    """A re-execution that is not queued yet has the tags of its parent, and is left alone."""
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
def test_a_run_killed_before_its_start_is_failed_by_the_next(project: Project) -> None:
    """A run of the command line that is killed before its first step is failed by the next run."""
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


def test_leftovers_of_a_crashed_run_are_removed(instance: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """Only leftovers of crashed runs are removed, not those of active, failed or foreign runs."""
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


def test_slots_of_ended_runs_are_freed_at_once(kept: dg.DagsterInstance, folder: DataFolder, gone: str) -> None:
    """Slots of ended runs are freed at once; an active run and one whose process is ending keep theirs."""
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


def test_every_run_records_its_process(project: Project, instance: dg.DagsterInstance) -> None:
    """Each run records its process before its first step, also by hand, for one asset and in this process."""
    project.connect("shop", goal())
    result = project.run("shop_sync", instance)
    run = instance.get_run_by_id(result.run_id)
    assert run
    assert Process.of(run) == THIS


def test_the_sensor_is_on_and_reports_its_actions(project: Project, instance: dg.DagsterInstance, gone: str) -> None:
    """The project has one recovery sensor, which is on by default and reports its actions."""
    sensor = project.load().resolve_sensor_def("recovery")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    run = add(instance, gone)
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert tick.skip_message == f"Runs without a process: {run.run_id}."


def test_the_sensor_gives_up_silent_runs_of_other_machines(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After several ticks the sensor gives up a silent run of another machine, and leaves alone one that beats."""
    sensor, now = project.load().resolve_sensor_def("recovery"), 1000.0
    silent, beating = add(instance, ELSEWHERE), add(instance, ELSEWHERE)
    cursor = None
    for tick in range(7):
        monkeypatch.setattr(time, "monotonic", lambda at=now + 30.0 * tick: at)
        note(instance, f"cdp_sync/beat/{beating.run_id}", str(tick))
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        skipped = sensor.evaluate_tick(context)
        cursor = skipped.cursor
        assert (state(instance, silent) == FAILED) == (tick == 6)
    assert state(instance, beating) == STARTED
    assert skipped.skip_message == f"Runs without a process: {silent.run_id}."


def test_a_retried_step_without_its_rows_has_a_remedy(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retried step whose staged rows are gone fails with the remedy of running the connection again."""

    def stage_and_lose(*_rest: object, **_named: object) -> None:
        """Remove the rows as a sweep between two steps does."""

    monkeypatch.setattr("cdp_sync.importing.pipeline.parse_files", stage_and_lose)
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,1\n")
    result = project.run("shop_sync", instance)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "shop__customers.link_identifiers"
    assert "Run the connection instead" in str(failed.step_failure_data.error)
