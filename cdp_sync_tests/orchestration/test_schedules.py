"""Declared schedules in Dagster: its own ticks and scheduler, over a year."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.storage.tags import SCHEDULED_EXECUTION_TIME_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon import get_default_daemon_logger
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.error import SerializableErrorInfo
from dagster._utils.schedules import schedule_execution_time_iterator

from cdp_sync.model import Schedule, SftpConnection
from cdp_sync.orchestration.triggers.schedules import build_schedules, tick_crons
from cdp_sync_tests.oracle.wall_clock import YEAR, instants
from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.schedule_cases import ZONES, OnDay, cases, even, name_of, odd_cases

START = datetime(YEAR, 1, 1, tzinfo=UTC)
SERVER = {"host": "h", "username": "u", "password_env": "P"}
GOAL = {"name": "customers", "link": [{"field": "Email", "property": "email"}]}


@dg.job(name="shop_sync", tags={"connection": "shop"})
def nothing() -> None:
    """A placeholder for the connection's job."""


def built(declared: dict[str, Any]) -> dg.ScheduleDefinition:
    """Return Dagster's schedule of a declared one."""
    attributes = {"name": "shop", "title": "Shop", "server": SERVER, "import_profiles": [GOAL]}
    (made,) = build_schedules(SftpConnection.model_validate({**attributes, "schedule": declared}), [nothing])
    return made


def ticks(made: dg.ScheduleDefinition, start: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the ticks of Dagster's own iterator."""
    for tick in schedule_execution_time_iterator(start.timestamp(), made.cron_schedule, made.execution_timezone):
        if tick.timestamp() >= until.timestamp():
            return
        yield tick


def evaluated(made: dg.ScheduleDefinition, tick: datetime) -> Any:
    """Evaluate a tick without an instance."""
    return made.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=tick))


def runs_of(declared: dict[str, Any], start: datetime = START, days: int = 365) -> list[datetime]:
    """Return the ticks of Dagster, in order, that start a run."""
    made = built(declared)
    found = (tick for tick in ticks(made, start, start + timedelta(days=days)) if evaluated(made, tick).run_requests)
    return [tick.astimezone(UTC) for tick in found]


@pytest.mark.parametrize(("zone", "declared", "times", "on_day"), cases(), ids=name_of)
def test_a_year_of_ticks_follows_the_local_clock(
    zone: str, declared: dict[str, Any], times: str, on_day: OnDay
) -> None:
    """Over a year the ticks that start a run equal the local times of the declaration, each once."""
    assert runs_of(declared) == instants(zone, times, on_day)


@pytest.mark.parametrize(("zone", "declared", "times", "on_day"), odd_cases(), ids=name_of)
def test_a_year_of_ticks_follows_unusual_clocks(zone: str, declared: dict[str, Any], times: str, on_day: OnDay) -> None:
    """The same holds where clocks change at midnight, and around Ramadan."""
    assert runs_of(declared) == instants(zone, times, on_day)


@pytest.mark.parametrize("minutes", [15, 50, 1440])
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_even_intervals(minutes: int, zone: str) -> None:
    """Over a year the runs are exactly the interval apart, in any time zone."""
    assert runs_of({"every_minutes": minutes, "time_zone": zone}) == even(minutes, zone)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", [datetime(YEAR, 3, 28, tzinfo=UTC), datetime(YEAR, 10, 24, tzinfo=UTC)])
def test_intervals_without_a_divisor(zone: str, start: datetime) -> None:
    """An interval without a divisor ticks every minute, and runs as declared, also across clock changes."""
    found = runs_of({"every_minutes": 7, "time_zone": zone}, start, days=2)
    assert found == [each for each in even(7, zone) if start <= each < start + timedelta(days=2)]


@pytest.mark.parametrize(
    ("declared", "crons"),
    [
        ({"every_minutes": 15}, ["0,15,30,45 * * * *"]),
        ({"every_minutes": 50}, ["0,10,20,30,40,50 * * * *"]),
        ({"every_minutes": 7}, ["* * * * *"]),
        ({"every_minutes": 1440, "time_zone": "Europe/Amsterdam"}, ["0 23 * * *"]),
        ({"times_per_day": 3, "time_zone": "Asia/Kolkata"}, ["30 2,10,18 * * *"]),
        ({"times_per_day": 3, "time_zone": "Europe/Amsterdam"}, ["0 6,7,14,15,22,23 * * *"]),
        ({"days_of_week": ["friday", "sunday"], "at": "01:30", "time_zone": "Europe/Amsterdam"}, ["30 0,23 * * *"]),
        ({"days_of_month": [1, 31, "last"], "at": "01:30"}, ["30 1 * * *"]),
        ({"times_per_day": 1, "starting_at": "02:30", "time_zone": "Europe/Amsterdam"}, ["0 1 * * *", "30 0,1 * * *"]),
        ({"times_per_day": 1, "starting_at": "02:10", "time_zone": "Australia/Lord_Howe"}, ["10,30,40 15 * * *"]),
    ],
)
def test_ticks_are_limited_to_possible_times(declared: dict[str, Any], crons: list[str]) -> None:
    """Ticks are limited to the UTC times at which the schedule can be due, and the end of the DST gap."""
    assert tick_crons(Schedule.model_validate(declared)) == crons


def test_a_tick_that_is_not_due_names_the_next_run() -> None:
    """The message of a tick that is not due has the next run in the schedule's time zone."""
    made = built({"every_minutes": 50, "time_zone": "Europe/Amsterdam"})
    due = next(each for each in even(50, "Europe/Amsterdam") if each.month == 7)
    data = evaluated(made, due - timedelta(minutes=10))
    assert not data.run_requests
    shown = due + timedelta(hours=2)
    assert data.skip_message == f"Not due yet. The next run is due on {shown:%Y-%m-%d at %H:%M} (Europe/Amsterdam)."


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with a connection that runs at 02:30 in Amsterdam."""
    declare(project)
    return project


def declare(project: Project, **attributes: Any) -> None:
    """Declare the connection."""
    nightly = {"times_per_day": 1, "starting_at": "02:30", "time_zone": "Europe/Amsterdam"}
    project.connect("shop", goal(), **{"title": "Web shop", "schedule": nightly, **attributes})


def test_a_connection_has_a_schedule_of_its_job(shop: Project) -> None:
    """`<connection>_schedule` runs `<connection>_sync`, is on by default, and describes itself in words."""
    definitions = shop.load()
    dg.Definitions.validate_loadable(definitions)
    made = definitions.resolve_schedule_def("shop_schedule")
    assert made.job_name == "shop_sync"
    assert made.default_status == dg.DefaultScheduleStatus.RUNNING
    assert made.description == "Runs Web shop once a day, counted from 02:30 (Europe/Amsterdam)."


@pytest.mark.parametrize(
    "attributes",
    [{"enabled": False}, {"schedule": None}, {"import_profiles": [goal(enabled=False)]}],
    ids=["off", "none declared", "no goal is on"],
)
def test_a_disabled_connection_has_no_schedule(attributes: dict[str, Any], project: Project) -> None:
    """A disabled connection has no schedule that the UI could switch on."""
    declare(project, **attributes)
    definitions = project.load()
    dg.Definitions.validate_loadable(definitions)
    assert not definitions.schedules


class Daemon:
    """Dagster's scheduler, and an instance that queues runs without starting them."""

    def __init__(self, context: WorkspaceProcessContext) -> None:
        self._context = context
        self.instance = context.instance

    def evaluate_at(self, when: str) -> None:
        """Evaluate the scheduler at a time."""
        now = datetime.fromisoformat(when)
        for problem in launch_scheduled_runs(
            self._context, get_default_daemon_logger("scheduler"), end_datetime_utc=now, iteration_times={}
        ):
            assert problem is None, problem

    @property
    def runs(self) -> list[dg.DagsterRun]:
        """The runs, oldest first."""
        return list(reversed(self.instance.get_runs()))

    @property
    def ticks(self) -> list[InstigatorTick]:
        """The ticks, newest first."""
        (state,) = self.instance.all_instigator_state()
        return list(self.instance.get_ticks(state.instigator_origin_id, state.selector_id))

    def end(self, run: dg.DagsterRun) -> None:
        """End a run."""
        self.instance.report_run_canceled(run)


@contextmanager
def scheduler(folder: Path) -> Iterator[Daemon]:
    """Open the project with an instance of its own in a folder."""
    folder.mkdir()
    queue = {"module": "dagster._core.run_coordinator", "class": "QueuedRunCoordinator"}
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="cdp_sync.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="cdp_sync")
    with (
        dg.DagsterInstance.local_temp(str(folder), overrides={"run_coordinator": queue}) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as context,
    ):
        yield Daemon(context)


def test_due_ticks_start_runs_with_a_reason(shop: Project, tmp_path: Path) -> None:
    """A due tick queues one run, tagged with connection and reason; another tick reports that it is not due."""
    with scheduler(tmp_path / "home") as daemon:
        daemon.evaluate_at(f"{YEAR}-03-27T00:00:30Z")
        daemon.evaluate_at(f"{YEAR}-03-27T00:30:30Z")
        daemon.evaluate_at(f"{YEAR}-03-27T01:30:30Z")
        (run,) = daemon.runs
        latest = daemon.ticks[0]
    assert (run.job_name, run.tags["connection"], run.tags["reason"]) == ("shop_sync", "shop", "schedule")
    assert run.tags[SCHEDULED_EXECUTION_TIME_TAG] == f"{YEAR}-03-27T01:30:00+00:00"
    assert latest.status == TickStatus.SUCCESS


def test_missed_ticks_start_one_run(shop: Project, tmp_path: Path) -> None:
    """After days without a daemon one run covers all missed ticks, even if the latest one is not due."""
    with scheduler(tmp_path / "home") as daemon:
        daemon.evaluate_at(f"{YEAR}-03-20T00:00:30Z")
        daemon.evaluate_at(f"{YEAR}-03-29T02:00:00Z")
        assert [run.tags["reason"] for run in daemon.runs] == ["schedule"]
        daemon.end(daemon.runs[0])
        daemon.evaluate_at(f"{YEAR}-03-29T03:00:00Z")
        assert len(daemon.runs) == 1
        daemon.evaluate_at(f"{YEAR}-03-30T00:31:00Z")
        assert len(daemon.runs) == 2


def test_a_new_schedule_ignores_past_times(shop: Project, tmp_path: Path) -> None:
    """A new schedule starts with its next time, not with a past one."""
    with scheduler(tmp_path / "home") as daemon:
        daemon.evaluate_at(f"{YEAR}-03-20T01:30:30Z")
        daemon.evaluate_at(f"{YEAR}-03-21T00:30:30Z")
        assert daemon.runs == []
        assert daemon.ticks[0].skip_reason == (
            f"Not due yet. The next run is due on {YEAR}-03-21 at 02:30 (Europe/Amsterdam)."
        )


def test_at_most_one_run_waits(project: Project, tmp_path: Path) -> None:
    """While a run of the connection waits, ticks start none; an active run does not delay the next."""
    declare(project, schedule={"every_minutes": 10})
    with scheduler(tmp_path / "home") as daemon:
        daemon.evaluate_at(f"{YEAR}-03-20T00:05:00Z")
        daemon.evaluate_at(f"{YEAR}-03-20T00:10:01Z")
        daemon.evaluate_at(f"{YEAR}-03-20T00:20:01Z")
        (waiting,) = daemon.runs
        assert daemon.ticks[0].skip_reason == (
            f"Run {waiting.run_id} of this connection waits to start, and will find all that there is."
        )
        daemon.instance.handle_run_event(waiting.run_id, _started(waiting))
        daemon.evaluate_at(f"{YEAR}-03-20T00:30:01Z")
        assert [run.status for run in daemon.runs] == [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED]


def test_a_run_left_by_a_crash_is_queued(project: Project, tmp_path: Path) -> None:
    """A run that was created for this tick but not queued is queued now."""
    declare(project, schedule={"every_minutes": 10})
    with scheduler(tmp_path / "home") as daemon:
        daemon.evaluate_at(f"{YEAR}-03-20T00:05:00Z")
        daemon.evaluate_at(f"{YEAR}-03-20T00:10:01Z")
        (run,) = daemon.runs
        tick = daemon.ticks[0]
        daemon.instance.update_tick(tick.with_status(TickStatus.STARTED))
        daemon.evaluate_at(f"{YEAR}-03-20T00:11:01Z")
        assert [each.run_id for each in daemon.runs] == [run.run_id]
        assert daemon.ticks[0].status == TickStatus.SUCCESS


def test_a_failed_tick_is_made_up_for(shop: Project, tmp_path: Path) -> None:
    """After a failed evaluation the next tick starts the run that was due."""
    with scheduler(tmp_path / "home") as daemon:
        daemon.evaluate_at(f"{YEAR}-03-27T01:00:00Z")
        daemon.evaluate_at(f"{YEAR}-03-27T01:30:30Z")
        error = SerializableErrorInfo("The disk was full.", [], None)
        daemon.instance.update_tick(daemon.ticks[0].with_status(TickStatus.FAILURE, error=error, failure_count=1))
        daemon.end(daemon.runs[0])
        daemon.evaluate_at(f"{YEAR}-03-28T00:30:30Z")
        assert len(daemon.runs) == 2


def _started(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent("PIPELINE_START", run.job_name)
