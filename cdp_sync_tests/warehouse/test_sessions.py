"""Sessions: each has an instance of its own, which holds nothing once the session has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.trail.importer import Importer


def rows_seen_by_another_process(file: Path, table: str = "million") -> str:
    """Return how many rows another process finds in a table, or what keeps it from opening the file."""
    code = f"""import duckdb
try:
    print(*duckdb.connect({str(file)!r}).execute("select count(*) from {table}").fetchone())
except duckdb.IOException as error:
    print(str(error).partition(" on file")[0])"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return answer.stdout.strip()


def test_each_session_begins_with_nothing(tmp_path: Path) -> None:
    """Settings and temporary tables of one session are unknown to the next."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb"), tmp_path / "staging.duckdb"
    with warehouse.open("write", staging=staging) as session:
        session.set("force_compression", "uncompressed")
        session.set("TimeZone", "Asia/Tokyo")
        session.execute("create temp table left_over as select 1 as x")
    with warehouse.open("write", staging=staging) as session:
        assert session.value("select current_setting('force_compression')").lower() == "auto"
        assert session.value("select current_setting('TimeZone')") == "UTC"
        session.execute("create temp table left_over as select 2 as x")


def test_after_a_session_another_process_has_the_files_at_once(tmp_path: Path) -> None:
    """All rows are in the files, none in a log beside them; while the session is open, another process is refused."""
    warehouse, staging = tmp_path / "warehouse.duckdb", tmp_path / "staging.duckdb"
    with Warehouse(warehouse).open("write", staging=staging) as session:
        session.execute("create table staging.million as select range as x from range(1000000)")
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
        assert rows_seen_by_another_process(staging) == "IO Error: Could not set lock"
    assert not list(tmp_path.glob("*.wal"))
    assert rows_seen_by_another_process(warehouse, "profile") == "1"
    assert rows_seen_by_another_process(staging) == "1000000"


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    """A session that ends within a transaction leaves nothing of it, and the next one can write at once."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1)
    with warehouse.open("write") as session:
        session.execute("begin")
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
    with warehouse.open("write") as session:
        assert session.value("select count(*) from warehouse.profile") == 0


def test_a_session_that_fails_frees_its_files(tmp_path: Path) -> None:
    """The next session opens both at once; what was committed before the failure is there."""
    warehouse, staging = Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1), tmp_path / "staging.duckdb"
    with pytest.raises(ZeroDivisionError):
        interrupted(warehouse, staging)
    with warehouse.open("write", staging=staging) as session:
        assert session.value("select x from staging.one") == 1


def test_two_sessions_at_once_share_nothing(tmp_path: Path) -> None:
    """Tables of one are unknown to the other."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with warehouse.open("none") as one, warehouse.open("none") as other:
        one.execute("create table only_here as select 1 as x")
        assert other.value("select count(*) from duckdb_tables() where table_name = 'only_here'") == 0


def test_a_forked_process_opens_sessions_of_its_own(tmp_path: Path) -> None:
    """It waits for no thread of its parent."""
    path = tmp_path / "warehouse.duckdb"
    with Warehouse(path).open("write"):
        pass
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        with Warehouse(path).open("read") as session:
            os._exit(session.value("select 7"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_between_the_steps_of_a_run_any_process_can_have_its_staging_file(tmp_path: Path) -> None:
    """A run's next step may run in another process; after the run, the file can be removed."""
    importer = Importer(tmp_path)
    seen = []
    importer.deliver(
        {"/a.csv": "Email,Name\na@x.io,Ann\n"},
        between=lambda run: seen.append(rows_seen_by_another_process(run.staging, "staged")),
    )
    seen += [rows_seen_by_another_process(file, "staged") for file in tmp_path.glob("staging/*.duckdb")]
    assert seen == ["1", "1"]


def interrupted(warehouse: Warehouse, staging: Path) -> None:
    """Fail after a statement was committed."""
    with warehouse.open("write", staging=staging) as session:
        session.execute("create table staging.one as select 1 as x")
        raise ZeroDivisionError
