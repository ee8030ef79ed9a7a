"""Which warehouse the runs of a project use: the one that its history notes, where machines share the history."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync.errors import CdpSyncError, RunGivenUp, WrongVersion, WrongWarehouse
from cdp_sync.orchestration.dagster_internals import history_place, note_once
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.admission import Admission, accept_warehouse, history_id
from cdp_sync.orchestration.runs.run_tags import VERSIONS
from cdp_sync.orchestration.runs.versions import versions
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.backend import Identity, give_to, identity_of, named_warehouse
from cdp_sync_tests.orchestration.shared_history import SECRET, move_history
from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.services import Service

HEAD = "Email,FirstName,Total\n"


@pytest.fixture
def history(shared: Project) -> Iterator[dg.DagsterInstance]:
    """A history in PostgreSQL."""
    with open_instance() as opened:
        yield opened


def other(folder: Path) -> Warehouse:
    """Make a warehouse with an identity of its own: the tests' warehouses are copies of one."""
    made = Warehouse(folder / "warehouse.duckdb")
    with made.open("write") as session:
        session.execute("update warehouse.identity set warehouse_id = uuid()")
    return made


def guarded(instance: dg.DagsterInstance, warehouse: Warehouse, **tags: str) -> Warehouse:
    """Return a warehouse as a new run of a history opens it."""
    run = instance.add_run(dg.DagsterRun(job_name="shop_sync", status=dg.DagsterRunStatus.STARTED, tags=tags))
    return replace(warehouse, guard=Admission(instance, run))


def identity(warehouse: Warehouse) -> Identity:
    """Return what a warehouse says of itself."""
    with warehouse.open("read") as session:
        return identity_of(session)


def refusal(warehouse: Warehouse, access: str = "read") -> CdpSyncError:
    """Return the error of a warehouse that is not opened."""
    with pytest.raises(CdpSyncError) as refused, warehouse.open(access):  # type: ignore[arg-type]
        pass
    return refused.value


def test_the_first_run_notes_the_warehouse(history: dg.DagsterInstance, tmp_path: Path) -> None:
    """The first run notes the warehouse in the history; the first that writes, the history in the warehouse."""
    first = other(tmp_path)
    with guarded(history, first).open("read"):
        pass
    assert identity(first).history_id == ""
    with guarded(history, first).open("write"):
        pass
    assert identity(first).history_id == history_id(history)
    assert identity(first).history_place == history_place(history)


def test_another_warehouse_is_refused(history: dg.DagsterInstance, tmp_path: Path) -> None:
    """A run whose warehouse is not the noted one is refused; the message names both, the history, and the remedy."""
    first, second = other(tmp_path / "first"), other(tmp_path / "second")
    with guarded(history, first).open("write"):
        pass
    for access in ("read", "write"):
        error = refusal(guarded(history, second), access)
        assert isinstance(error, WrongWarehouse)
        assert all(place in str(error) for place in (first.place, second.place, history_place(history)))
        assert "accept-warehouse" in error.remedy
        assert SECRET not in str(error)
    assert identity(second).history_id == ""


def test_no_second_warehouse_is_made(history: dg.DagsterInstance, tmp_path: Path) -> None:
    """Where there is no warehouse, none is made or read as an empty one if another is noted."""
    with guarded(history, other(tmp_path / "first")).open("read"):
        pass
    absent = Warehouse(tmp_path / "absent" / "warehouse.duckdb")
    for access in ("read", "write"):
        assert isinstance(refusal(guarded(history, absent), access), WrongWarehouse)
    assert not absent.path.parent.exists()


def test_the_warehouse_of_another_project_is_refused(
    history: dg.DagsterInstance, shared: Project, server: Service, tmp_path: Path
) -> None:
    """Two projects cannot use one warehouse; the message names both histories without the password."""
    warehouse, former = other(tmp_path / "first"), history_place(history)
    with guarded(history, warehouse).open("write"):
        pass
    move_history(shared.folder, server)
    with open_instance() as second:
        error = refusal(guarded(second, warehouse))
        assert isinstance(error, WrongWarehouse)
        assert former in str(error)
        assert history_place(second) in str(error)
        assert SECRET not in str(error)


def test_a_lake_belongs_to_one_project(project: Project, server: Service, tmp_path: Path) -> None:
    """A lake is one project's, also where the projects' histories lie in files; the other one may accept it."""
    pytest.importorskip("duckdb_extensions", reason="needs the extra `ducklake`")
    catalog = server.database(f"lake_{uuid4().hex}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDP_SYNC_WAREHOUSE_DATA", str(tmp_path / "lake"))
        lake = named_warehouse(f"ducklake:postgres:{catalog}", tmp_path)
    with open_instance() as first:
        with guarded(first, lake).open("read"):
            pass
        assert not lake.exists()
        for access in ("write", "read", "write"):
            with guarded(first, lake).open(access):  # type: ignore[arg-type]
                pass
        former = history_place(first)
    shutil.rmtree(project.folder / "dagster")
    with open_instance() as second:
        for access in ("read", "write"):
            error = refusal(guarded(second, lake), access)
            assert isinstance(error, WrongWarehouse)
            assert lake.place in str(error)
        accepted = accept_warehouse(second, lake)
        assert (accepted.former_place, accepted.former_history) == ("", former)
        with guarded(second, lake).open("write"):
            pass


def test_a_warehouse_can_be_accepted(history: dg.DagsterInstance, tmp_path: Path) -> None:
    """An accepted warehouse is the project's from then on, and the former one is refused."""
    first, second = other(tmp_path / "first"), other(tmp_path / "second")
    with guarded(history, first).open("write"):
        pass
    with second.open("write") as session:
        give_to(session, "6f1c1b8e-4c0e-4c2f-9d0a-0d8a1f2b3c4d", "elsewhere/runs")
    accepted = accept_warehouse(history, second)
    assert (accepted.former_place, accepted.former_history) == (first.place, "elsewhere/runs")
    with guarded(history, second).open("write"):
        pass
    assert isinstance(refusal(guarded(history, first)), WrongWarehouse)
    again = accept_warehouse(history, second)
    assert (again.former_place, again.former_history) == ("", "")


def test_the_command_says_what_it_accepted(shared: Project, tmp_path: Path) -> None:
    """The command names the warehouse that is used from now on, and the former one."""
    with open_instance() as history, guarded(history, other(tmp_path / "former")).open("write"):
        pass
    with shared.warehouse.open("write"):
        pass
    answer = CliRunner().invoke(main, ["accept-warehouse"])
    assert answer.exit_code == 0, answer.output
    text = " ".join(answer.output.split())
    assert f"use {shared.warehouse.place}" in text
    assert f"Before, it was {Warehouse(tmp_path / 'former' / 'warehouse.duckdb').place}" in text
    assert SECRET not in text


@pytest.mark.slow
def test_one_machine_uses_any_warehouse(project: Project) -> None:
    """Where the history lies in files nothing is refused: not after the warehouse is gone, nor after the history is."""
    project.connect("shop", goal())
    for number in range(3):
        if number == 1:
            shutil.rmtree(project.data)
        if number > 1:
            shutil.rmtree(project.folder / "dagster")
        project.deliver(f"/inbox/customers_{number}.csv", f"{HEAD}a{number}@example.com,Ada,1\n")
        with open_instance() as instance:
            assert project.run("shop_sync", instance).success
    answer = CliRunner().invoke(main, ["accept-warehouse"])
    assert answer.exit_code == 0
    assert "Nothing changed" in answer.output


@pytest.mark.slow
def test_a_refused_run_fetches_nothing(shared: Project, tmp_path: Path) -> None:
    """A run on a machine with another data folder fails before it fetches, and leaves no warehouse there."""
    shared.connect("shop", goal())
    shared.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,1\n")
    with open_instance() as instance:
        assert shared.run("shop_sync", instance).success
        elsewhere = tmp_path / "elsewhere"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CDP_SYNC_DATA", str(elsewhere))
            result = shared.run("shop_sync", instance)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "shop__customers.scan_directory"
    assert f"There is no warehouse in {Warehouse(elsewhere / 'warehouse.duckdb').place}" in str(
        failed.step_failure_data.error
    )
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []


def test_of_several_first_runs_one_notes_its_warehouse(history: dg.DagsterInstance) -> None:
    """Of processes that note something at once, one succeeds, and all see what it noted."""
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda number: note_once(history, "first", str(number)), range(32)))
    assert len(found) == 1
    assert note_once(history, "first", "later") in found


@pytest.mark.parametrize("queued_by", ["cdp_sync 0.0.9 with DuckDB 2.0.1", f"{versions()}.1"])
def test_another_version_is_refused(queued_by: str, history: dg.DagsterInstance, tmp_path: Path) -> None:
    """A run that another version has queued is refused; the message has the versions of both."""
    error = refusal(guarded(history, other(tmp_path), **{VERSIONS: queued_by}))
    assert isinstance(error, WrongVersion)
    assert queued_by in str(error)
    assert versions() in str(error)


def test_the_same_version_is_guarded(history: dg.DagsterInstance, tmp_path: Path) -> None:
    """A run that the same versions have queued is executed, and so is one that nobody has queued."""
    warehouse = other(tmp_path)
    for tags in ({VERSIONS: versions()}, {}):
        with guarded(history, warehouse, **tags).open("write"):
            pass


@pytest.mark.parametrize("ended", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_an_ended_run_cannot_write(ended: dg.DagsterRunStatus, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """A run that somebody has ended can still read, and cannot open the warehouse for writing."""
    run = instance.add_run(dg.DagsterRun(job_name="shop_sync", status=ended))
    warehouse = other(tmp_path)
    opened = replace(warehouse, guard=Admission(instance, run))
    with opened.open("read"):
        pass
    assert isinstance(refusal(opened, "write"), RunGivenUp)


def test_nothing_of_an_ended_run_lands(
    project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is given up after it staged its rows lands none of them; the next run lands them once."""
    from cdp_sync.importing import pipeline

    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,1\n")
    parse_files = pipeline.parse_files

    def parse_and_lose(*arguments: object, **named: object) -> object:
        parsed = parse_files(*arguments, **named)  # type: ignore[arg-type]
        (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        instance.report_run_failed(run, "Its machine does not answer.")
        return parsed

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "parse_files", parse_and_lose)
        result = project.run("shop_sync", instance)
    assert not result.success
    failures = [str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure]
    assert any("was ended while its process did not answer" in failure for failure in failures)
    with project.warehouse.open("read") as session:
        assert session.rows("from warehouse.profile") == []
    assert project.run("shop_sync", instance).success
    with project.warehouse.open("read") as session:
        assert session.rows("select email, total::int from warehouse.profile") == [("ada@example.com", 1)]
