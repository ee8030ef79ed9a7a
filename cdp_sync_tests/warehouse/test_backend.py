"""Opening the warehouse: where there is none, beside others, after waiting for another process."""

import os
import threading
import time
from pathlib import Path

import pytest

from cdp_sync.errors import Transient, WarehouseLocked, WarehouseUnusable
from cdp_sync.warehouse import Access, Warehouse
from cdp_sync.warehouse.backend import begin_at, next_number, revision_of
from cdp_sync_tests.warehouse.holder import held


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a warehouse that was written once."""
    path = tmp_path / "warehouse.duckdb"
    with Warehouse(path).open("write"):
        pass
    return path


def test_reading_where_there_is_no_file_reads_an_empty_warehouse(tmp_path: Path) -> None:
    """All tables are there and empty; no file is made."""
    path = tmp_path / "none" / "warehouse.duckdb"
    with Warehouse(path).open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 0
        assert session.rows("select * from warehouse.imported_file") == []
    assert not path.parent.exists()


def test_only_who_writes_the_warehouse_waits_for_the_disk(file: Path, tmp_path: Path) -> None:
    """What is written to the warehouse outlives a power cut; what is only staged need not."""
    modes = {}
    for access in ("none", "read", "write"):
        with Warehouse(file).open(access, staging=tmp_path / "staging.duckdb") as session:
            modes[access] = session.value("select current_setting('fsync_mode')").lower()
    assert modes == {"none": "none", "read": "none", "write": "standard"}


def test_writing_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    """The first write brings the warehouse about; the next reading finds what was written."""
    warehouse = Warehouse(tmp_path / "none" / "warehouse.duckdb")
    with warehouse.open("write") as session:
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
    with warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 1


def test_a_reader_cannot_write(file: Path) -> None:
    """Opened for reading, nothing changes the file."""
    with (
        Warehouse(file).open("read") as session,
        pytest.raises(WarehouseUnusable, match="read-only"),
    ):
        session.execute("delete from warehouse.profile")


def test_without_access_the_warehouse_is_not_opened(file: Path, tmp_path: Path) -> None:
    """Parsing works in its staging file while another process holds the warehouse."""
    with held(file), Warehouse(file, lock_timeout=0.1).open("none", staging=tmp_path / "deep" / "s.duckdb") as session:
        session.execute("create table staging.a as select 1 as x")
        assert session.value("select x from staging.a") == 1
    assert (tmp_path / "deep" / "s.duckdb").exists()


def test_a_held_file_is_waited_for_and_then_reported(file: Path) -> None:
    """After the bounded wait the error names the file, the process that holds it and what to do."""
    with held(file) as holder:
        began = time.monotonic()
        with pytest.raises(WarehouseLocked) as refused, Warehouse(file, lock_timeout=0.4).open("write"):
            pass
        waited = time.monotonic() - began
    message = str(refused.value)
    assert f"warehouse.duckdb is held by process {holder.pid} (" in message
    assert "more than 0.4 s" in message
    assert "Close that process" in message
    assert isinstance(refused.value, Transient)
    assert waited < 20  # bounded, however busy the machine


def test_readers_wait_for_a_writer_too(file: Path) -> None:
    """While another process writes, reading is refused in the same words."""
    with (
        held(file) as holder,
        pytest.raises(WarehouseLocked, match=f"process {holder.pid} "),
        Warehouse(file, lock_timeout=0.1).open("read"),
    ):
        pass


def test_a_reader_keeps_writers_out(file: Path) -> None:
    """A process that reads holds the file as well; the error of a writer says so."""
    with (
        held(file, "read") as holder,
        pytest.raises(WarehouseLocked, match=f"process {holder.pid} "),
        Warehouse(file, lock_timeout=0.1).open("write"),
    ):
        pass


def test_a_waiting_opener_gets_the_file_when_the_other_lets_go(file: Path) -> None:
    """Waiting ends with success as soon as the holder is gone."""
    opened: list[int] = []
    asked = threading.Event()

    def write() -> None:
        asked.set()
        with Warehouse(file, lock_timeout=60).open("write") as session:
            opened.append(session.value("select count(*) from warehouse.profile"))

    with held(file) as holder:
        writer = threading.Thread(target=write)
        writer.start()
        asked.wait(10)
        writer.join(0.3)
        assert not opened
        holder.let_go()
        writer.join(30)
    assert opened == [0]


def test_readers_share_the_file(file: Path) -> None:
    """Readers of several processes and of this one do not wait for each other."""
    warehouse = Warehouse(file, lock_timeout=0.1)
    with held(file, "read"), warehouse.open("read") as one, warehouse.open("read") as two:
        assert one.value("select count(*) from warehouse.profile") == 0
        assert two.value("select count(*) from warehouse.profile") == 0


def test_a_writer_of_this_process_is_reported_as_such(file: Path) -> None:
    """Two openings of one process that exclude each other do not blame another process."""
    warehouse = Warehouse(file, lock_timeout=0.1)
    with (
        warehouse.open("write"),
        pytest.raises(WarehouseLocked, match="another connection of this process"),
        warehouse.open("read"),
    ):
        pass


@pytest.mark.parametrize("access", ["read", "write"])
def test_a_file_that_is_no_database_is_refused(access: str, tmp_path: Path) -> None:
    """Another file under the warehouse's name is reported and left unchanged."""
    path = tmp_path / "warehouse.duckdb"
    content = b"Email,FirstName\n" * 1000
    path.write_bytes(content)
    with (
        pytest.raises(WarehouseUnusable, match=r"warehouse.duckdb is not a DuckDB database .* Move it away") as refused,
        Warehouse(path, lock_timeout=5).open(access),  # type: ignore[arg-type]
    ):
        pass
    assert not isinstance(refused.value, WarehouseLocked)
    assert path.read_bytes() == content


def test_the_lock_is_let_go_when_the_block_fails(file: Path) -> None:
    """An error inside the block closes the file as well as its end does, and nothing half-done stays."""
    warehouse = Warehouse(file, lock_timeout=0.1)
    with pytest.raises(ZeroDivisionError):
        interrupted(warehouse)
    with held(file), pytest.raises(WarehouseLocked), warehouse.open("write"):
        pass
    with warehouse.open("write") as session:
        assert session.value("select count(*) from warehouse.profile") == 0


def interrupted(warehouse: Warehouse) -> None:
    """Fail in the middle of a transaction."""
    with warehouse.open("write") as session:
        session.execute("begin").execute("insert into warehouse.profile (profile_id) values (uuid())")
        raise ZeroDivisionError


def test_instants_are_kept_in_utc(file: Path) -> None:
    """Whatever the machine's time zone, a session works in UTC."""
    with Warehouse(file).open("read") as session:
        assert session.value("select current_setting('TimeZone')") == "UTC"


def test_what_duckdb_fails_on_where_memory_is_scarce_is_switched_off(file: Path) -> None:
    """No session gathers the few rows of a join in DuckDB's cache, which loses track of dictionaries of text."""
    with Warehouse(file).open("write") as session:
        assert session.value("select current_setting('enable_caching_operators')") is False


@pytest.mark.parametrize("access", ["read", "write"])
def test_it_is_for_its_owner_alone(access: Access, tmp_path: Path) -> None:
    """The file, its log and the staging file, in closed folders, whatever the umask; also those that were open."""
    warehouse, staging = Warehouse(tmp_path / "data" / "warehouse.duckdb"), tmp_path / "data" / "staging" / "a.duckdb"
    umask = os.umask(0)
    try:
        with warehouse.open("write") as session:
            session.execute("create table warehouse.one as select 1")
        warehouse.path.parent.chmod(0o777)
        warehouse.path.chmod(0o666)
        with warehouse.open(access, staging=staging) as session:
            session.execute("create table staging.one as select 1")
            if access == "write":
                session.execute("insert into warehouse.one values (2)")
            data = warehouse.path.parent
            found = {str(path.relative_to(data)): path.stat().st_mode & 0o777 for path in (data, *data.rglob("*"))}
    finally:
        os.umask(umask)
    log = {"warehouse.duckdb.wal": 0o600} if access == "write" else {}
    files = {"warehouse.duckdb": 0o600, "staging/a.duckdb": 0o600, "staging/a.duckdb.wal": 0o600}
    assert found == {".": 0o700, "staging": 0o700, **files, **log}


def test_names_get_numbers_in_turn(file: Path) -> None:
    """A known name keeps its number; a new one gets the next."""
    with Warehouse(file).open("write") as session:
        numbers = [
            next_number(session, "exported_goal", {"connection": connection, "goal": "out"})
            for connection in ("shop", "crm", "shop", "till")
        ]
    assert numbers == [1, 2, 1, 3]


def test_rows_land_against_the_revision_that_they_were_linked_at_only(file: Path) -> None:
    """Where another process has written since, nothing begins, and the error may pass."""
    with Warehouse(file).open("write") as session:
        begin_at(session, revision_of(session))
        session.execute("update warehouse.revision set number = number + 1")
        session.execute("commit")
        with pytest.raises(Transient, match=r"revision is 1\. The rows were linked against revision 0"):
            begin_at(session, 0)
        session.execute("begin")
        session.execute("commit")
