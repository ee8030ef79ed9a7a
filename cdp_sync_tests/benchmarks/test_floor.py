"""The floor script does the whole job; a yardstick that leaves work out measures nothing."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_sync_tests.benchmarks import floor
from cdp_sync_tests.benchmarks.floor_sql import CELLS
from cdp_sync_tests.benchmarks.generate import write_customers
from cdp_sync_tests.openssh import openssh_server

pytestmark = pytest.mark.skipif(not floor.SFTP, reason="OpenSSH's sftp is not installed")


class Yard:
    """A directory on a server and a warehouse beside it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.inbox = Path(options.directory)

    def run(self) -> list[dict[str, Any]]:
        """Run the floor script once over the directory."""
        return floor.run(self.options, floor.Stopwatch())

    def one(self, question: str) -> tuple[Any, ...] | None:
        """Ask the warehouse."""
        with duckdb.connect(self.options.warehouse) as connection:
            return connection.execute(question).fetchone()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Serve an empty directory."""
    (tmp_path / "inbox").mkdir()
    with openssh_server(tmp_path / "sshd") as server:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(server.known_hosts_line())
        yield Yard(
            argparse.Namespace(
                host=server.host,
                port=server.port,
                user=server.username,
                identity=server.client_key,
                known_hosts=known_hosts,
                directory=tmp_path / "inbox",
                warehouse=tmp_path / "warehouse.duckdb",
            )
        )


def counted(file: dict[str, Any]) -> tuple[int, ...]:
    """Return rows read, applied and unchanged, profiles created and updated."""
    names = ("rows_read", "rows_applied", "rows_unchanged", "profiles_created", "profiles_updated")
    return tuple(file[name] for name in names)


def test_first_changed_unchanged(yard: Yard) -> None:
    """A first import creates, a changed file applies its changed rows only, an unchanged one is not even fetched."""
    write_customers(yard.inbox / "customers.csv", rows=1000)
    assert [counted(file) for file in yard.run()] == [(1000, 1000, 0, 1000, 0)]
    write_customers(yard.inbox / "customers.csv", rows=1000, changed=0.1)
    assert [counted(file) for file in yard.run()] == [(1000, 100, 900, 0, 100)]
    assert yard.run() == []
    assert yard.one("select count(*), count(*) filter (last_name like 'Renamed%') from profile") == (1000, 100)
    assert yard.one("select count(*), count(distinct value) from profile_identifier") == (2000, 2000)
    assert yard.one("select count(*) from imported_row") == (1000,)


def test_same_bytes_under_a_new_time(yard: Yard) -> None:
    """A file whose bytes are known only gets its new time noted."""
    file = write_customers(yard.inbox / "customers.csv", rows=10)
    yard.run()
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert len(yard.run()) == 1
    assert yard.run() == []
    assert yard.one("select count(*) from profile_change") == (10,)


def test_rows_that_need_care(yard: Yard) -> None:
    """Repeated people fold into one, an empty cell leaves the property alone, what cannot land is reported."""
    rows = [
        "a@example.com,C1,Ann,First,1,1.00,1990-01-02,2026-01-01 10:00:00,true,x;y;x,Leeds,GB,0171",
        " A@Example.com,C1,,Second,n/a,2.50,1990-02-31,2026-01-02 10:00:00,false,,Leeds,GB,0171",
        "b@example.com,C2,Ben",
        "unknown,C3,Cid,Third,1,1.00,1990-01-02,2026-01-01 10:00:00,true,x,Leeds,GB,0171",
    ]
    (yard.inbox / "customers.csv").write_text("\n".join([",".join(CELLS), *rows, ""]))
    [file] = yard.run()
    assert counted(file) == (4, 2, 0, 1, 0)
    assert (file["rows_rejected"], file["rows_without_identifier"], file["values_invalid"]) == (1, 1, 2)
    kept = yard.one(
        "select email, first_name, last_name, order_count, order_total::double, interests, zip from profile"
    )
    assert kept == ("a@example.com", "Ann", "Second", 1, 2.5, ["x", "y"], "0171")
    assert yard.one("select list(field order by field) filter (value is not null) from quarantine") == (
        ["Birthday", "Orders"],
    )


def test_rows_that_name_nobody_come_again(yard: Yard) -> None:
    """Of a changed file, rows without an identifier are tried and counted again; applied rows are not."""
    somebody = "a@example.com,C1,Ann,First,1,1.00,1990-01-02,2026-01-01 10:00:00,true,x,Leeds,GB,0171"
    nobody = somebody.replace("a@example.com", "")
    for rows, expected in (([somebody, nobody], (2, 1, 0, 1, 0)), ([somebody, nobody, nobody], (3, 0, 1, 0, 0))):
        (yard.inbox / "customers.csv").write_text("\n".join([",".join(CELLS), *rows, ""]))
        [file] = yard.run()
        assert counted(file) == expected
        assert file["rows_without_identifier"] == len(rows) - 1
