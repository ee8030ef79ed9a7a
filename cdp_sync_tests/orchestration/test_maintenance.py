"""The maintenance job removes old runs and nothing else."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.runs.schema import RunsTable

from cdp_sync.orchestration.goals.files import files_key, imported_versions, partitions_of
from cdp_sync.orchestration.runs import maintenance
from cdp_sync.orchestration.runs.maintenance import forget_idle_runs, forget_runs
from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.warehouse.holder import held

HEAD = "Email,FirstName,Total\n"
GOAL = dg.AssetKey(["shop", "customers"])
FILES = files_key(*GOAL.path)
SOME_DAYS = 40
FOR_EVER = float("inf")
_MINUTES = count()


@pytest.fixture
def kept(project: Project) -> Iterator[dg.DagsterInstance]:
    """The project's own instance, on disk."""
    with dg.DagsterInstance.from_config(str(project.folder)) as made:
        yield made


@pytest.fixture
def shop(project: Project) -> Project:
    """A connection, and a job that keeps runs for 30 days."""
    project.connect("shop", goal())
    project.declare("maintenance", {"keep_runs_days": 30}, kind="Maintenance")
    return project


def run(shop: Project, instance: dg.DagsterInstance, *names: str, days_ago: float = 0) -> str:
    """Import changed files in a run that ended so many days ago; return its id."""
    for name in names:
        minutes = next(_MINUTES)
        shop.deliver(f"/inbox/{name}", f"{HEAD}ada@example.com,Ada,{minutes}\n", minutes=minutes)
    run_id = shop.run("shop_sync", instance).run_id
    age(instance, run_id, days_ago)
    return run_id


def age(instance: dg.DagsterInstance, run_id: str, days: float) -> None:
    """Set the age of a run's record in days."""
    at = datetime.now(UTC) - timedelta(days=days)
    aged = {"update_timestamp": at.replace(tzinfo=None), "end_time": at.timestamp()}
    with instance.run_storage.connect() as connection:
        connection.execute(RunsTable.update().where(RunsTable.c.run_id == run_id).values(**aged))


def maintain(
    shop: Project, instance: dg.DagsterInstance, run_config: Mapping[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    """Run the job."""
    job = shop.load().resolve_job_def("maintenance")
    return job.execute_in_process(instance=instance, run_config=dict(run_config or {}))


def mentions(folder: Path, run_id: str) -> list[Path]:
    """Return the files of an instance that are named for a run, or are in such a folder."""
    return [path for path in (folder / "dagster").rglob("*") if run_id in str(path)]


def complete(paths: list[Path]) -> set[Path]:
    """Return the paths without SQLite's logs of open files."""
    return {path for path in paths if not path.name.endswith(("-wal", "-shm"))}


def files(instance: dg.DagsterInstance, *names: str) -> dict[str, str | None]:
    """Return the status of files in the UI, computed anew."""
    instance.event_log_storage.wipe_asset_cached_status(FILES)
    found = instance.get_status_by_partition(FILES, names, partitions_of("shop", "customers")) or {}
    return {name: status.value if (status := found.get(name)) else None for name in names}


def materializations(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[str]:
    """Return the runs of an asset's materializations, newest first."""
    return [record.run_id for record in instance.fetch_materializations(key, limit=100).records]


def test_an_old_run_is_removed_completely(shop: Project, kept: dg.DagsterInstance) -> None:
    """The record, events, logs and outputs of an old run are removed; a newer run stays whole."""
    old = run(shop, kept, "customers_1.csv", days_ago=SOME_DAYS)
    young = run(shop, kept, "customers_1.csv", days_ago=29)
    assert mentions(shop.folder, old)
    before = complete(mentions(shop.folder, young))
    maintained = maintain(shop, kept)
    assert mentions(shop.folder, old) == []
    assert complete(mentions(shop.folder, young)) == before
    assert {record.run_id for record in kept.get_runs()} == {young, maintained.run_id}
    assert kept.all_logs(young, of_type=dg.DagsterEventType.RUN_SUCCESS)
    assert materializations(kept, GOAL) == [young]


def test_a_run_that_has_not_ended_stays(shop: Project, kept: dg.DagsterInstance) -> None:
    """A run that has not ended stays, at any age: recovery ends it first."""
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        age(kept, kept.add_run(dg.DagsterRun(job_name="shop_sync", status=status)).run_id, SOME_DAYS)
    assert forget_runs(kept, datetime.now(UTC), FOR_EVER) == (0, True)
    assert len(kept.get_runs()) == 2


def test_the_state_of_the_catalog_stays(shop: Project, kept: dg.DagsterInstance) -> None:
    """Files stay imported without their run. The run of a goal's latest materialization stays."""
    first = run(shop, kept, "customers_1.csv", "customers_2.csv", days_ago=SOME_DAYS)
    second = run(shop, kept, "customers_2.csv", days_ago=SOME_DAYS)
    versions = imported_versions(kept, *GOAL.path)
    checks = [dg.AssetCheckKey(GOAL, name) for name in ("rejected_rows", "unmatched_rows", "ambiguous_links")]
    assert forget_runs(kept, datetime.now(UTC) - timedelta(days=30), FOR_EVER) == (1, True)
    assert [each.run_id for each in kept.get_runs()] == [second]
    assert files(kept, "customers_1.csv", "customers_2.csv") == {
        "customers_1.csv": "MATERIALIZED",
        "customers_2.csv": "MATERIALIZED",
    }
    assert materializations(kept, FILES) == ["", second]
    assert imported_versions(kept, *GOAL.path) == versions
    assert materializations(kept, GOAL) == [second]
    results = kept.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    assert {result.run_id for result in results.values()} == {second}
    assert first not in materializations(kept, FILES)


def test_a_file_without_its_run_keeps_its_import_time(shop: Project, kept: dg.DagsterInstance) -> None:
    """A file whose run is removed keeps its import time and counters."""
    before = time.time()
    run(shop, kept, "customers_1.csv", days_ago=SOME_DAYS)
    after = time.time()
    run(shop, kept, "customers_2.csv")
    maintain(shop, kept)
    of_file = dg.AssetRecordsFilter(FILES, asset_partitions=["customers_1.csv"])
    (record,) = kept.fetch_materializations(of_file, limit=9).records
    made = record.asset_materialization
    assert made
    assert made.metadata["rows_applied"].value == 1
    assert before <= made.metadata["imported_at"].value <= after


def test_a_later_failure_of_a_file_is_not_hidden(shop: Project, kept: dg.DagsterInstance) -> None:
    """The run that imported a file stays until the file is imported again, so that a later failure shows."""
    imported = run(shop, kept, "customers_1.csv", days_ago=SOME_DAYS)
    run(shop, kept, "customers_2.csv", days_ago=1)
    shop.deliver("/inbox/customers_1.csv", "Mail\nada@example.com\n", minutes=1_000)
    assert not shop.run("shop_sync", kept).success
    maintain(shop, kept)
    assert kept.get_run_by_id(imported)
    assert files(kept, "customers_1.csv") == {"customers_1.csv": "FAILED"}
    run(shop, kept, "customers_1.csv")
    maintain(shop, kept)
    assert not kept.get_run_by_id(imported)
    assert files(kept, "customers_1.csv") == {"customers_1.csv": "MATERIALIZED"}


def test_a_removed_failure_is_missing(shop: Project, kept: dg.DagsterInstance) -> None:
    """A failed file whose run is removed is missing again."""
    shop.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,1,surplus\n")
    shop.connect("shop", goal(max_rejected_percent=0))
    age(kept, shop.run("shop_sync", kept).run_id, SOME_DAYS)
    assert files(kept, "customers_1.csv") == {"customers_1.csv": "FAILED"}
    maintain(shop, kept)
    assert files(kept, "customers_1.csv") == {"customers_1.csv": None}


def test_the_job_stops_at_its_time_limit_and_continues_later(
    kept: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A maintenance run stops at its time limit, and the next one continues."""
    monkeypatch.setattr(maintenance, "_BATCH", 5)
    for _ in range(12):
        finished = dg.DagsterRun(job_name="shop_sync", status=dg.DagsterRunStatus.SUCCESS)
        age(kept, kept.add_run(finished).run_id, SOME_DAYS)
    assert forget_runs(kept, datetime.now(UTC), time.monotonic() - 1) == (0, False)
    assert forget_runs(kept, datetime.now(UTC), FOR_EVER) == (12, True)


def test_the_job_reports_removed_runs(shop: Project, kept: dg.DagsterInstance) -> None:
    """The job reports the removed runs and leftovers; the warehouse's history stays."""
    run(shop, kept, "customers_1.csv", days_ago=SOME_DAYS)
    run(shop, kept, "customers_1.csv")
    left = [shop.data / "staging" / "killed__customers.duckdb", shop.data / "spill" / "duckdb_temp_block-1.block"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
    maintained = maintain(shop, kept)
    logs = [event.user_message for event in kept.all_logs(maintained.run_id)]
    assert "Runs removed: 1. Runs without work removed: 0. Left-over files removed: 2." in logs
    assert [path for path in left if path.exists()] == []
    with shop.warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.run") == 2


def test_refused_rows_are_removed_with_runs_of_their_age(shop: Project, kept: dg.DagsterInstance) -> None:
    """Faults files that stayed here hold personal data: they go after as many days as runs; younger ones stay."""
    for name, days in (("old", SOME_DAYS), ("young", 20)):
        folder = shop.data / "reports" / f"{name}__spotler__contacts"
        folder.mkdir(parents=True)
        (folder / "contacts.csv.faults.csv").touch()
        ago = time.time() - days * 24 * 3600
        os.utime(folder, (ago, ago))
    maintain(shop, kept)
    assert [path.name for path in (shop.data / "reports").iterdir()] == ["young__spotler__contacts"]


def test_runs_without_work_are_removed_sooner(shop: Project, kept: dg.DagsterInstance) -> None:
    """Runs without work are removed after three days; runs with work, failed runs and other jobs stay."""
    worked = run(shop, kept, "customers_1.csv", days_ago=4)
    idle = [run(shop, kept, days_ago=days) for days in (5, 4, 2)]
    shop.deliver("/inbox/customers_2.csv", "Mail\nada@example.com\n")
    failed = run(shop, kept, days_ago=4)
    other = maintain(shop, kept).run_id
    age(kept, other, 4)
    maintained = maintain(shop, kept)
    assert {record.run_id for record in kept.get_runs()} == {worked, idle[2], failed, other, maintained.run_id}
    assert [mentions(shop.folder, run_id) for run_id in idle[:2]] == [[], []]
    assert materializations(kept, GOAL)


def test_the_retention_of_runs_without_work_is_declared(shop: Project, kept: dg.DagsterInstance) -> None:
    """The retention of runs without work is declared, by default three days."""
    shop.declare("maintenance", {"keep_idle_runs_days": 6}, kind="Maintenance")
    older, younger = (run(shop, kept, days_ago=days) for days in (7, 5))
    maintain(shop, kept)
    assert [bool(kept.get_run_by_id(run_id)) for run_id in (younger, older)] == [True, False]


def test_runs_without_work_are_removed_in_pages(kept: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """More runs without work than one page are all removed; runs with work between them stay."""
    monkeypatch.setattr(maintenance, "_BATCH", 5)
    for number in range(15):
        tags = {"connection": "shop"} if number % 5 else {}
        ended = dg.DagsterRun(job_name="shop_sync", status=dg.DagsterRunStatus.SUCCESS, tags=tags)
        age(kept, kept.add_run(ended).run_id, SOME_DAYS)
    asked: list[str] = []

    def with_work(run_ids: list[str]) -> set[str]:
        asked.extend(run_ids)
        return set(run_ids[::2])

    assert forget_idle_runs(kept, datetime.now(UTC), FOR_EVER, with_work) == (6, True)
    assert len(asked) == len(set(asked)) == 12
    assert kept.get_runs_count() == 9


def test_while_the_warehouse_is_locked_runs_without_work_stay(shop: Project, kept: dg.DagsterInstance) -> None:
    """While the warehouse is locked, runs without work stay and the job reports so; it removes the rest."""
    old, idle = run(shop, kept, days_ago=SOME_DAYS), run(shop, kept, days_ago=4)
    config = {"path": str(shop.warehouse.path), "lock_timeout": 0.1}
    with held(shop.warehouse.path):
        maintained = maintain(shop, kept, {"resources": {"warehouse": {"config": config}}})
    assert maintained.success
    assert kept.get_run_by_id(idle)
    assert not kept.get_run_by_id(old)
    logs = [event.user_message for event in kept.all_logs(maintained.run_id)]
    assert any("is held by process" in message and "No run without work was removed." in message for message in logs)


def test_the_latest_observation_of_an_asset_stays(shop: Project, kept: dg.DagsterInstance) -> None:
    """The run of an asset's latest observation stays."""
    runs = [run(shop, kept, days_ago=SOME_DAYS) for _ in range(2)]
    assert forget_runs(kept, datetime.now(UTC), FOR_EVER) == (1, True)
    assert [record.run_id for record in kept.fetch_observations(GOAL, limit=9).records] == [runs[1]]


def test_the_job_runs_daily(project: Project) -> None:
    """The job runs daily at the declared time, by default."""
    project.declare("cleaning", {"at": "23:05", "time_zone": "Europe/Amsterdam"}, kind="Maintenance")
    schedule = project.load().resolve_schedule_def("maintenance_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("5 23 * * *", "Europe/Amsterdam")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_a_second_declaration_names_the_first(project: Project) -> None:
    """Two maintenance declarations are both invalid; the rest of the project loads."""
    project.connect("shop", goal())
    for name in ("cleaning", "sweeping"):
        project.declare(name, {}, kind="Maintenance")
    definitions = project.load()
    assert "maintenance" not in {job.name for job in definitions.resolve_all_job_defs()}
    broken = definitions.resolve_asset_graph().get(dg.AssetKey(["broken_connections", "cleaning"]))
    assert "a project has one Maintenance; found another in sweeping" in (broken.description or "")


def test_events_are_removed_when_their_type_says_so(shop: Project, kept: dg.DagsterInstance) -> None:
    """The job removes events that are older than their type keeps them; the same file does not bring them back."""
    shop.describe(event_types=[{"name": "visit", "keep_days": 30}, "order"])
    visits = [{"type": "visit", "id": "Id", "time": "At"}, {"type": "order", "id": "Id", "time": "At"}]
    shop.connect("shop", goal(events=visits))
    now = datetime.now(UTC)
    ages = (1, 29, 31, 90)
    rows = "".join(f"ada@example.com,Ada,1,v{days},{now - timedelta(days=days):%Y-%m-%d}\n" for days in ages)
    shop.deliver("/inbox/customers_1.csv", f"Email,FirstName,Total,Id,At\n{rows}")
    assert shop.run("shop_sync", kept).success
    assert maintain(shop, kept).success
    shop.deliver("/inbox/customers_2.csv", f"Email,FirstName,Total,Id,At\n{rows}", minutes=1)
    assert shop.run("shop_sync", kept).success
    with shop.warehouse.open("read") as session:
        left = session.row("select list(event_id order by event_id) from warehouse.event_visit")
        assert left == (["v1", "v29"],)
        assert session.value("select count(*) from warehouse.event_order") == 4


def test_touches_are_removed_that_no_period_reaches(shop: Project, kept: dg.DagsterInstance) -> None:
    """With a lifecycle, the job removes touches that are older than the longest period."""
    has_email = {"property": "email", "has_value": True}
    stages = [{"name": "fresh", "when": has_email}]
    shop.declare("welcome", {"name": "welcome", "enter": has_email, "stages": stages}, kind="Lifecycle")
    now = datetime.now(UTC)
    with shop.warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.touchpoint by name
            select 'welcome' as lifecycle, 'fresh' as stage, age::text as goal,
                $now - to_days(age::integer) as happened_at
            from unnest([1, 92, 94]) ages(age)""",
            {"now": now},
        )
    assert maintain(shop, kept).success
    with shop.warehouse.open("read") as session:
        assert session.rows("select goal from warehouse.touchpoint order by goal") == [("1",), ("92",)]
