"""DuckDB instances: one for each session, started and freed beside the work, and never felt by it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cdp_sync.errors import WarehouseLocked, WarehouseUnusable
from cdp_sync.warehouse import Session, Warehouse, instances
from cdp_sync.warehouse.instances import Instances


def rows_seen_by_another_process(file: Path, table: str = "million") -> str:
    """Return how many rows another process finds in a table, or what keeps it from opening the file."""
    code = f"""import duckdb
try:
    print(*duckdb.connect({str(file)!r}).execute("select count(*) from {table}").fetchone())
except duckdb.IOException as error:
    print(str(error).partition(" on file")[0])"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return told.stdout.strip()


def is_closed(session: Session) -> bool:
    """Whether a session's instance is closed."""
    try:
        session.execute("select 1")
    except WarehouseUnusable:
        return True
    return False


def test_each_session_begins_with_nothing(tmp_path: Path) -> None:
    """Settings and temporary tables of one session are unknown to the next."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with warehouse.open("write") as session:
        session.execute("set force_compression = 'uncompressed'")
        session.execute("create temp table left_behind as select 1 as x")
    with warehouse.open("write") as session:
        assert session.value("select current_setting('force_compression')").lower() == "auto"
        session.execute("create temp table left_behind as select 2 as x")


def test_behind_a_session_another_process_has_the_files_at_once(tmp_path: Path) -> None:
    """Nothing holds them while the instance is being freed; all is in the file, none in a log beside it."""
    warehouse, staging = tmp_path / "warehouse.duckdb", tmp_path / "staging.duckdb"
    with Warehouse(warehouse).open("write", staging=staging) as session:
        session.execute("create table staging.million as select range as x from range(1000000)")
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
    assert not list(tmp_path.glob("*.wal"))
    assert rows_seen_by_another_process(warehouse, "profile") == "1"
    assert rows_seen_by_another_process(staging) == "1000000"


def test_the_next_step_goes_on_with_the_session_that_was_kept(tmp_path: Path) -> None:
    """It has the staged rows in memory, and neither the warehouse nor any setting of the step before."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb"), tmp_path / "staging.duckdb"
    with warehouse.open("write", staging=staging, keep=True) as first:
        first.set("force_compression", "uncompressed")
        first.set("TimeZone", "Asia/Tokyo")
        first.set("TimeZone", "Asia/Kolkata")
        first.execute("create table staging.million as select range as x from range(1000000)")
    with warehouse.open("none", staging=staging, keep=True) as second:
        assert second is first
        assert second.value("select count(*) from staging.million") == 1_000_000
        assert second.value("select current_setting('force_compression')").lower() == "auto"
        assert second.value("select current_setting('TimeZone')") == "UTC"
        assert second.value("select current_setting('fsync_mode')").lower() == "none"
        assert {name for (name,) in second.rows("select database_name from duckdb_databases() where not internal")} == {
            "memory",
            "staging",
        }
    with warehouse.open("write", staging=staging, keep=True) as third:
        assert third.value("select current_setting('fsync_mode')").lower() == "standard"
        assert third.value("select count(*) from warehouse.profile") == 0
    assert third.value("select current_setting('fsync_mode')").lower() == "none"  # letting go writes
    warehouse.let_go(staging)


@pytest.mark.parametrize("how", ["let_go", "another staging file", "none kept", "failure"])
def test_others_have_the_file_once_its_session_is_no_longer_kept(how: str, tmp_path: Path) -> None:
    """It is let go of when somebody says so, when another session begins, or when one on it is not kept, or fails."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb"), tmp_path / "staging.duckdb"
    with warehouse.open("none", staging=staging, keep=True) as session:
        session.execute("create table staging.million as select range as x from range(1000000)")
    assert rows_seen_by_another_process(staging) == "IO Error: Could not set lock"
    if how == "let_go":
        warehouse.let_go(staging)
        warehouse.let_go(staging)
    elif how == "failure":
        with pytest.raises(ZeroDivisionError), warehouse.open("none", staging=staging, keep=True):
            raise ZeroDivisionError
    else:
        other = staging if how == "none kept" else tmp_path / "other.duckdb"
        with warehouse.open("none", staging=other):
            pass
    assert how != "failure" or is_closed(session)
    assert rows_seen_by_another_process(staging) == "1000000"
    assert not list(tmp_path.glob("*.wal"))


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    """A session that ends within a transaction leaves nothing of it, and lets go of its files all the same."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with warehouse.open("write") as session:
        session.execute("begin")
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
    with warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 0


def test_a_session_that_fails_lets_go_of_its_files(tmp_path: Path) -> None:
    """The next one can write at once."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1)
    with pytest.raises(ZeroDivisionError), warehouse.open("write"):
        raise ZeroDivisionError
    with warehouse.open("write") as session:
        assert session.value("select count(*) from warehouse.profile") == 0


def test_when_the_next_instance_is_taken_the_former_is_closed() -> None:
    """So that what two held never fills the memory at the same time."""
    kept = Instances()
    former = kept.take()
    kept.give_back(former)
    following = kept.take()
    assert is_closed(former)
    assert following.value("select 1") == 1
    following.close()


def test_the_next_instance_is_started_beside_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes one behind another neither frees nor starts any; only the first has to be started at once."""
    started: list[bool] = []
    start = instances._start

    def noted() -> Session:
        started.append(threading.current_thread() is threading.main_thread())
        return start()

    monkeypatch.setattr(instances, "_start", noted)
    kept = Instances()
    for _ in range(3):
        kept.give_back(kept.take())
    kept.take().close()
    assert started == [True, False, False, False]


def test_only_one_instance_is_kept_ready() -> None:
    """Of two sessions at once each has its own; when both are done, one instance waits and the other is closed."""
    kept = Instances()
    one, other = kept.take(), kept.take()
    one.execute("create table only_here as select 1 as x")
    with pytest.raises(WarehouseUnusable, match="only_here"):
        other.execute("select * from only_here")
    kept.give_back(one)
    kept.give_back(other)
    assert is_closed(other)
    kept.take().close()


def test_a_forked_process_has_instances_of_its_own(tmp_path: Path) -> None:
    """It does not wait for threads that only its parent has."""
    path = tmp_path / "warehouse.duckdb"
    with Warehouse(path).open("write"):
        pass
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        with Warehouse(path).open("read") as session:
            os._exit(session.value("select 7"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_forked_process_leaves_the_staging_file_to_its_parent(tmp_path: Path) -> None:
    """What its parent keeps open it neither takes nor closes."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1), tmp_path / "staging.duckdb"
    with warehouse.open("none", staging=staging, keep=True) as session:
        session.execute("create table staging.million as select 1 as x")
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        warehouse.let_go(staging)
        try:
            with warehouse.open("none", staging=staging, keep=True):
                os._exit(1)
        except WarehouseLocked:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with warehouse.open("none", staging=staging, keep=True) as again:
        assert again is session
        again.execute("insert into staging.million values (2)")
    warehouse.let_go(staging)
    assert rows_seen_by_another_process(staging) == "2"
