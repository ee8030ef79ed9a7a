"""Each session has a DuckDB instance of its own, which releases its files at the end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.trail.importer import Importer


def rows_seen_by_another_process(file: Path, table: str = "million") -> str:
    """Return the number of rows that another process reads, or its error on opening the file."""
    code = f"""import duckdb
try:
    print(*duckdb.connect({str(file)!r}).execute("select count(*) from {table}").fetchone())
except duckdb.IOException as error:
    print(str(error).partition(" on file")[0])"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return answer.stdout.strip()


def test_a_session_has_no_state_of_an_earlier_one(tmp_path: Path) -> None:
    """Settings and temporary tables of a session do not reach the next one."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb"), tmp_path / "staging.duckdb"
    with warehouse.open("write", staging=staging) as session:
        session.set("force_compression", "uncompressed")
        session.set("TimeZone", "Asia/Tokyo")
        session.execute("create temp table left_over as select 1 as x")
    with warehouse.open("write", staging=staging) as session:
        assert session.value("select current_setting('force_compression')").lower() == "auto"
        assert session.value("select current_setting('TimeZone')") == "UTC"
        session.execute("create temp table left_over as select 2 as x")


@pytest.mark.native("its lock and its log")
def test_a_session_releases_its_files_at_the_end(tmp_path: Path) -> None:
    """After a session another process reads all rows, without a log; during it, the file is locked."""
    warehouse, staging = tmp_path / "warehouse.duckdb", tmp_path / "staging.duckdb"
    with Warehouse(warehouse).open("write", staging=staging) as session:
        session.execute("create table staging.million as select range as x from range(1000000)")
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
        assert rows_seen_by_another_process(staging) == "IO Error: Could not set lock"
    assert not list(tmp_path.glob("*.wal"))
    assert rows_seen_by_another_process(warehouse, "profile") == "1"
    assert rows_seen_by_another_process(staging) == "1000000"


def test_an_open_transaction_is_rolled_back(tmp_path: Path) -> None:
    """A transaction that was not committed is rolled back at the end of its session."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1)
    with warehouse.open("write") as session:
        session.execute("begin")
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
    with warehouse.open("write") as session:
        assert session.value("select count(*) from warehouse.profile") == 0


def test_a_failed_session_releases_its_files(tmp_path: Path) -> None:
    """A session that fails releases its files and keeps what was committed."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1), tmp_path / "staging.duckdb"
    with pytest.raises(ZeroDivisionError):
        interrupted(warehouse, staging)
    with warehouse.open("write", staging=staging) as session:
        assert session.value("select x from staging.one") == 1


def test_concurrent_sessions_are_separate(tmp_path: Path) -> None:
    """Two concurrent sessions have separate tables."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with warehouse.open("none") as one, warehouse.open("none") as other:
        one.execute("create table only_here as select 1 as x")
        assert other.value("select count(*) from duckdb_tables() where table_name = 'only_here'") == 0


def test_a_forked_process_can_open_a_session(tmp_path: Path) -> None:
    """A forked process can open a session."""
    path = tmp_path / "warehouse.duckdb"
    with Warehouse(path).open("write"):
        pass
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        with Warehouse(path).open("read") as session:
            os._exit(session.value("select 7"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_staging_file_is_released_between_steps(tmp_path: Path) -> None:
    """Another process can read the staging file between the steps of a run and after it."""
    importer = Importer(tmp_path)
    seen = []
    importer.deliver(
        {"/a.csv": "Email,Name\na@x.io,Ann\n"},
        between=lambda run: seen.append(rows_seen_by_another_process(run.staging, "staged")),
    )
    seen += [rows_seen_by_another_process(file, "staged") for file in tmp_path.glob("staging/*.duckdb")]
    assert seen == ["1", "1"]


def interrupted(warehouse: Warehouse, staging: Path) -> None:
    """Raise an error after a committed statement."""
    with warehouse.open("write", staging=staging) as session:
        session.execute("create table staging.one as select 1 as x")
        raise ZeroDivisionError
