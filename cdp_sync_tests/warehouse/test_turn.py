"""One writer at a time across machines: the turn of a lake, how it ends, and what happens to one that has lost it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cdp_sync.errors import WarehouseChanged, WarehouseLocked, WarehouseUnreachable
from cdp_sync_tests.services import Service, postgres

psycopg2 = pytest.importorskip("psycopg2")

from cdp_sync.warehouse.backend.turn import turn  # noqa: E402 - needs the package above

HOLDING = """
import sys
from cdp_sync.warehouse.backend.turn import turn
with turn(sys.argv[1], 5.0):
    print("held", flush=True)
    sys.stdin.readline()
"""

CUT = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'cdp_sync %'"


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """PostgreSQL."""
    with postgres() as started:
        yield started


@pytest.fixture
def catalog(server: Service, tmp_path: Path) -> str:
    """A database of its own."""
    return server.database(f"t{os.getpid()}_{abs(hash(tmp_path))}")


@contextmanager
def holder(catalog: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the turn."""
    command = [sys.executable, "-c", HOLDING, catalog]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def test_who_waits_in_vain_learns_who_holds_it(catalog: str) -> None:
    """After the deadline the error names the process; others do not wait for it in another database."""
    with holder(catalog) as process, pytest.raises(WarehouseLocked, match=r"held by process \d+ on ") as locked:
        ExitStack().enter_context(turn(catalog, 0.2))
    assert f"process {process.pid} on " in str(locked.value)


def test_the_turn_of_another_lake_is_free(catalog: str, server: Service) -> None:
    """Two lakes of one server have a turn each."""
    with holder(catalog), turn(server.database(f"{catalog.rpartition('=')[2]}b"), 0.2):
        pass


def test_the_turn_ends_with_a_killed_process(catalog: str) -> None:
    """The database frees the lock as the process's connection ends."""
    with ExitStack() as waiting, ThreadPoolExecutor(1) as thread, holder(catalog) as process:
        taken = thread.submit(lambda: waiting.enter_context(turn(catalog, 30.0)))
        process.kill()
        assert taken.result(30)


def test_a_stopped_process_keeps_its_turn(catalog: str) -> None:
    """One that is stopped, and may go on, is waited for until the deadline."""
    with holder(catalog) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(WarehouseLocked, match=str(process.pid)), turn(catalog, 0.2):
            pass


def test_a_cut_session_has_lost_its_turn_and_learns_it(catalog: str, server: Service) -> None:
    """Another one takes the turn; who has lost it learns so before a commit."""
    with turn(catalog, 1.0) as verify:
        verify()
        server.sql(f"{CUT} and datname = '{catalog.rpartition('=')[2]}'")
        with turn(catalog, 5.0), pytest.raises(WarehouseUnreachable, match="does not answer"):
            verify()


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_database_that_does_not_answer(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported within the limit, with what to do."""
    monkeypatch.setattr("cdp_sync.warehouse.backend.turn.PATIENCE", {"connect_timeout": 2})
    with postgres() as server:
        named = server.database("lake")
        if how == "silent":
            server.stop_for()
        else:
            server.process.send_signal(signal.SIGINT)
            server.process.wait(20)
        with pytest.raises(WarehouseUnreachable, match="See that it runs"), turn(named, 1.0):
            pass


def test_only_one_of_two_writers_commits(catalog: str, server: Service, tmp_path: Path) -> None:
    """A writer that lost its turn between verifying it and its commit cannot commit beside the next one."""
    pytest.importorskip("duckdb_extensions")
    from cdp_sync.warehouse.backend.lake import Lake

    lake = Lake(tmp_path / "lake", 5.0, catalog=catalog, data=str(tmp_path / "files"))
    with lake.open("write"):
        pass
    touch = "insert into warehouse.profile_touch values (uuid(), now())"
    with lake.open("write") as lost:
        lost.begin()
        lost.execute(touch)
        locks = "(select pid from pg_locks where locktype = 'advisory')"
        server.sql(f"select pg_terminate_backend(pid) from {locks} holder", catalog.rpartition("=")[2])
        with lake.open("write") as following:
            following.begin()
            following.execute(touch)
            following.commit()
        with pytest.raises(WarehouseUnreachable):
            lost.commit()
        lost._before_commit = lost._before_commit[1:]  # as if the turn had been lost just after it was verified
        with pytest.raises(WarehouseChanged, match="at the same time"):
            lost.commit()
    with lake.open("read") as session:
        assert session.value("select count(*) from warehouse.profile_touch") == 1


def test_an_import_that_always_comes_second_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others write first each time, it is linked and written five times, and then fails with what to do."""
    from cdp_sync.importing import pipeline
    from cdp_sync.importing.upserting import upsert
    from cdp_sync_tests.trail.importer import Importer

    tried = []

    def changed(*_: object) -> None:
        tried.append(1)
        raise WarehouseChanged("Another process has written.", remedy="Run again.")

    monkeypatch.setattr(upsert, "begin_at", changed)
    importer = Importer(tmp_path / "shop")
    with pytest.raises(WarehouseChanged, match="Run again"):
        importer.deliver({"/a.csv": "Email\nann@x.org\n"})
    assert len(tried) == pipeline._TRIES
