"""The sensor for new files: single ticks against a real server."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG

from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.warehouse.holder import held

FIRST = "Email,Total\nada@example.com,1.5\n"


@dataclass
class Ticker:
    """Evaluates a sensor as the daemon does, and runs its requests on demand."""

    project: Project
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self) -> dg._core.definitions.sensor_definition.SensorExecutionData:
        """Evaluate the sensor once."""
        definitions = self.project.load()
        sensor = definitions.resolve_sensor_def("shop_new_files")
        resources = {"shop_server": definitions.resources["shop_server"]}
        with dg.build_sensor_context(self.instance, self.cursor, resources=resources) as context:
            tick = sensor.evaluate_tick(context)
        self.cursor = tick.cursor
        return tick

    def next_tick(self) -> dg._core.definitions.sensor_definition.SensorExecutionData:
        """Evaluate the sensor when its next listing is due."""
        assert self.cursor
        self.cursor = json.dumps({**json.loads(self.cursor), "looked_at": 0})
        return self.tick()

    def run(self, request: dg.RunRequest) -> bool:
        """Execute the requested run with the daemon's tags."""
        tags = {**request.tags, RUN_KEY_TAG: str(request.run_key)}
        return self.project.run("shop_sync", self.instance, tags=tags).success


@pytest.fixture
def ticker(project: Project, instance: dg.DagsterInstance) -> Iterator[Ticker]:
    """A connection with a sensor, and a file on its server."""
    project.connect("shop", goal(), goal("off", files="off*", enabled=False), watch={"every_seconds": 30})
    project.deliver("/inbox/customers_1.csv", FIRST)
    return Ticker(project, instance)


def emails(project: Project) -> list[str]:
    """Return the e-mail addresses in the warehouse."""
    with project.warehouse.open("read") as session:
        return [email for (email,) in session.rows("select email from warehouse.profile order by email")]


def test_only_an_enabled_watching_connection_has_a_sensor(project: Project) -> None:
    """Only an enabled connection with `watch` and an import goal has a sensor, which runs by default."""
    project.connect("shop", goal(), watch={"every_seconds": 30})
    project.connect("asleep", goal(), watch={"every_seconds": 30}, enabled=False)
    project.connect("scheduled", goal())
    project.connect("idle", goal(enabled=False), watch={})
    definitions = project.load()
    names = {sensor.name for sensor in definitions.sensors or ()}
    assert {name for name in names if name.endswith("_new_files")} == {"shop_new_files"}
    sensor = definitions.resolve_sensor_def("shop_new_files")
    assert sensor.minimum_interval_seconds == 10
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_stable_file_starts_one_run(ticker: Ticker) -> None:
    """A file that is unchanged in two listings starts one run, which names the sensor as its cause."""
    assert "1 just arrived" in str(ticker.tick().skip_message)
    (request,) = ticker.tick().run_requests or ()
    assert request.tags["reason"] == "new files"
    assert ticker.run(request)
    assert emails(ticker.project) == ["ada@example.com"]
    for _ in range(3):
        tick = ticker.next_tick()
        assert not tick.run_requests
        assert str(tick.skip_message) == "Of 1 file none is new."


def test_a_run_does_not_settle_again(ticker: Ticker) -> None:
    """When the settling time passed between two listings, the run imports after one listing."""
    ticker.project.connect("shop", goal(complete={"settle_seconds": 3600}), watch={"every_seconds": 30})
    ticker.tick()
    (request,) = ticker.next_tick().run_requests or ()
    began = time.monotonic()
    assert ticker.run(request)
    assert time.monotonic() - began < 600
    assert emails(ticker.project) == ["ada@example.com"]


def test_a_tick_between_two_listings_is_free(ticker: Ticker) -> None:
    """A tick between two listings only reports when the next one is due."""
    ticker.tick()
    (request,) = ticker.tick().run_requests or ()
    assert ticker.run(request)
    (ticker.project.root / "inbox").rename(ticker.project.root / "away")
    assert "The next look is due in" in str(ticker.tick().skip_message)


def test_a_failed_listing_is_not_an_empty_one(ticker: Ticker) -> None:
    """A failed listing fails the tick and forgets no file: the file is not imported a second time."""
    ticker.tick()
    (request,) = ticker.tick().run_requests or ()
    assert ticker.run(request)
    before = ticker.cursor
    (ticker.project.root / "inbox").rename(ticker.project.root / "away")
    with pytest.raises(Exception, match="/inbox"):
        ticker.next_tick()
    ticker.cursor = before
    (ticker.project.root / "away").rename(ticker.project.root / "inbox")
    assert not ticker.next_tick().run_requests
    assert not ticker.next_tick().run_requests


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_files_that_arrive_during_a_run_are_requested_after_it(ticker: Ticker, status: str) -> None:
    """A connection has at most one waiting run; files that arrive during a run are requested after it."""
    run = dg.DagsterRun("shop_sync", status=dg.DagsterRunStatus(status), tags={"connection": "shop"})
    ticker.instance.add_run(run)
    ticker.tick()
    for _ in range(2):
        tick = ticker.tick()
        assert not tick.run_requests
        assert "has not ended" in str(tick.skip_message)
    ticker.instance.delete_run(run.run_id)
    assert len(ticker.tick().run_requests or ()) == 1


def test_files_that_another_run_imported_start_no_run(ticker: Ticker) -> None:
    """A file that a manual run imported starts no run; a skipped file and a replaced one start one each."""
    ticker.tick()
    assert ticker.project.run("shop_sync", ticker.instance).success
    tick = ticker.tick()
    assert not tick.run_requests
    assert str(tick.skip_message) == "Of 1 file none is new."
    ticker.project.deliver("/inbox/customers_1.csv", FIRST.replace("1.5", "2"), minutes=1)
    ticker.next_tick()
    (request,) = ticker.tick().run_requests or ()
    assert ticker.run(request)
    ticker.project.deliver("/inbox/customers_1.csv", FIRST)
    ticker.next_tick()
    assert len(ticker.tick().run_requests or ()) == 1


def test_a_new_sensor_ignores_imported_files(ticker: Ticker) -> None:
    """A new sensor ignores imported files, but not those of a goal whose declaration changed."""
    assert ticker.project.run("shop_sync", ticker.instance).success
    ticker.tick()
    assert not ticker.tick().run_requests
    ticker.project.connect("shop", goal(format={"nulls": ["ada"]}), watch={"every_seconds": 30})
    ticker.next_tick()
    assert len(ticker.tick().run_requests or ()) == 1


def test_a_file_whose_import_failed_is_new(ticker: Ticker) -> None:
    """A file whose import failed is still new."""
    ticker.project.deliver("/inbox/customers_1.csv", "Mail,Total\nada@example.com,1\n")
    assert not ticker.project.run("shop_sync", ticker.instance).success
    ticker.tick()
    assert len(ticker.tick().run_requests or ()) == 1


def test_files_of_a_failed_run_are_requested_again(ticker: Ticker) -> None:
    """The files of a failed run are requested again after a pause."""
    ticker.project.deliver("/inbox/customers_1.csv", "Mail,Total\nada@example.com,1\n")
    ticker.tick()
    (first,) = ticker.tick().run_requests or ()
    assert not ticker.run(first)
    assert "1 failed; another try follows later" in str(ticker.next_tick().skip_message)
    cursor = json.loads(str(ticker.cursor))
    cursor["failed"] = {state: [failures, 0] for state, (failures, _) in cursor["failed"].items()}
    ticker.cursor = json.dumps(cursor)
    (second,) = ticker.next_tick().run_requests or ()
    assert second.run_key != first.run_key


def test_a_tick_never_opens_the_warehouse(ticker: Ticker) -> None:
    """A tick works while another process writes to the warehouse, which it does not open."""
    ticker.tick()
    (request,) = ticker.tick().run_requests or ()
    assert ticker.run(request)
    ticker.project.deliver("/inbox/customers_2.csv", FIRST, minutes=1)
    with held(ticker.project.warehouse.path):
        ticker.next_tick()
        assert len(ticker.tick().run_requests or ()) == 1


def test_files_of_a_disabled_goal_start_no_run(ticker: Ticker) -> None:
    """Files of a disabled goal start no run."""
    ticker.project.deliver("/inbox/off_1.csv", FIRST)
    assert "1 just arrived" in str(ticker.tick().skip_message)
