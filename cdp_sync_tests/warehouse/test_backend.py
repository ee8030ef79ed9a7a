"""Opening the warehouse: missing files, access modes, locks and permissions."""

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
    """The file of a warehouse after its first write."""
    path = tmp_path / "warehouse.duckdb"
    with Warehouse(path).open("write"):
        pass
    return path


def test_a_missing_file_is_read_as_an_empty_warehouse(tmp_path: Path) -> None:
    """A missing file is read as an empty warehouse, and none is created."""
    path = tmp_path / "none" / "warehouse.duckdb"
    with Warehouse(path).open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 0
        assert session.rows("select * from warehouse.imported_file") == []
    assert not path.parent.exists()


@pytest.mark.native("what is forced to the disk")
def test_only_writes_to_the_warehouse_are_synced(file: Path, tmp_path: Path) -> None:
    """Only writes to the warehouse are synced to disk; staging is not."""
    modes = {}
    for access in ("none", "read", "write"):
        with Warehouse(file).open(access, staging=tmp_path / "staging.duckdb") as session:
            modes[access] = session.value("select current_setting('fsync_mode')").lower()
    assert modes == {"none": "none", "read": "none", "write": "standard"}


def test_the_first_write_creates_the_file(tmp_path: Path) -> None:
    """The first write creates the file and its folder."""
    warehouse = Warehouse(tmp_path / "none" / "warehouse.duckdb")
    with warehouse.open("write") as session:
        session.execute("insert into warehouse.profile (profile_id) values (uuid())")
    with warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 1


def test_a_reader_cannot_write(file: Path) -> None:
    """A session for reading cannot write."""
    with (
        Warehouse(file).open("read") as session,
        pytest.raises(WarehouseUnusable, match="read-only"),
    ):
        session.execute("delete from warehouse.profile")


def test_staging_works_while_the_warehouse_is_locked(file: Path, tmp_path: Path) -> None:
    """A session with the staging file alone works while another process has locked the warehouse."""
    with held(file), Warehouse(file, lock_timeout=0.1).open("none", staging=tmp_path / "deep" / "s.duckdb") as session:
        session.execute("create table staging.a as select 1 as x")
        assert session.value("select x from staging.a") == 1
    assert (tmp_path / "deep" / "s.duckdb").exists()


@pytest.mark.native("its lock")
def test_a_locked_file_is_reported_after_the_timeout(file: Path) -> None:
    """A locked file is reported after the timeout, with the file, the process and a remedy."""
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
    assert waited < 20  # an upper limit for a slow machine


@pytest.mark.native("its lock")
def test_a_reader_waits_for_a_writer(file: Path) -> None:
    """A reader waits for a writer and is refused with the same message."""
    with (
        held(file) as holder,
        pytest.raises(WarehouseLocked, match=f"process {holder.pid} "),
        Warehouse(file, lock_timeout=0.1).open("read"),
    ):
        pass


@pytest.mark.native("its lock")
def test_a_writer_waits_for_a_reader(file: Path) -> None:
    """A writer waits for a reader and is refused with the process of the reader."""
    with (
        held(file, "read") as holder,
        pytest.raises(WarehouseLocked, match=f"process {holder.pid} "),
        Warehouse(file, lock_timeout=0.1).open("write"),
    ):
        pass


def test_a_waiting_writer_continues_after_the_release(file: Path) -> None:
    """A waiting writer continues when the other process ends."""
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
        holder.release()
        writer.join(30)
    assert opened == [0]


@pytest.mark.native("its lock")
def test_readers_share_the_file(file: Path) -> None:
    """Readers of one process or several share the file."""
    warehouse = Warehouse(file, lock_timeout=0.1)
    with held(file, "read"), warehouse.open("read") as one, warehouse.open("read") as two:
        assert one.value("select count(*) from warehouse.profile") == 0
        assert two.value("select count(*) from warehouse.profile") == 0


@pytest.mark.native("its lock")
def test_a_lock_of_this_process_is_reported_as_such(file: Path) -> None:
    """A lock of this process is reported as such."""
    warehouse = Warehouse(file, lock_timeout=0.1)
    with (
        warehouse.open("write"),
        pytest.raises(WarehouseLocked, match="another connection of this process"),
        warehouse.open("read"),
    ):
        pass


@pytest.mark.native("files that are none")
@pytest.mark.parametrize("access", ["read", "write"])
def test_a_file_of_another_kind_is_refused(access: str, tmp_path: Path) -> None:
    """A file that is not a DuckDB database is refused and left unchanged."""
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


@pytest.mark.native("its lock")
def test_an_error_releases_the_lock(file: Path) -> None:
    """An error in the block closes the file and rolls back the transaction."""
    warehouse = Warehouse(file, lock_timeout=0.1)
    with pytest.raises(ZeroDivisionError):
        interrupted(warehouse)
    with held(file), pytest.raises(WarehouseLocked), warehouse.open("write"):
        pass
    with warehouse.open("write") as session:
        assert session.value("select count(*) from warehouse.profile") == 0


def interrupted(warehouse: Warehouse) -> None:
    """Raise an error within a transaction."""
    with warehouse.open("write") as session:
        session.execute("begin").execute("insert into warehouse.profile (profile_id) values (uuid())")
        raise ZeroDivisionError


def test_a_session_works_in_utc(file: Path) -> None:
    """A session works in UTC, whatever the machine's time zone."""
    with Warehouse(file).open("read") as session:
        assert session.value("select current_setting('TimeZone')") == "UTC"


def test_caching_operators_are_off(file: Path) -> None:
    """DuckDB's caching operators are off, since they lose dictionaries of texts when memory is scarce."""
    with Warehouse(file).open("write") as session:
        assert session.value("select current_setting('enable_caching_operators')") is False


@pytest.mark.native("its permissions")
@pytest.mark.parametrize("access", ["read", "write"])
def test_files_are_private_to_the_owner(access: Access, tmp_path: Path) -> None:
    """The warehouse, its log, the staging file and their folders are private to the owner, whatever the umask."""
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


def test_names_are_numbered_in_order(file: Path) -> None:
    """A known name keeps its number, and a new one gets the next."""
    with Warehouse(file).open("write") as session:
        numbers = [
            next_number(session, "exported_goal", {"connection": connection, "goal": "out"})
            for connection in ("shop", "crm", "shop", "till")
        ]
    assert numbers == [1, 2, 1, 3]


def test_a_transaction_begins_at_the_revision_of_linking(file: Path) -> None:
    """A transaction begins only at the revision of linking; otherwise a transient error is raised."""
    with Warehouse(file).open("write") as session:
        begin_at(session, revision_of(session))
        session.execute("update warehouse.revision set number = number + 1")
        session.execute("commit")
        with pytest.raises(Transient, match=r"revision is 1\. The rows were linked against revision 0"):
            begin_at(session, 0)
        session.execute("begin")
        session.execute("commit")
