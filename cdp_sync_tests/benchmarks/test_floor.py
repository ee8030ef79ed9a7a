"""The floor script does the same work as the product; otherwise its figures would not be comparable."""

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


class Setup:
    """A directory on a server, and a warehouse."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.inbox = Path(options.directory)

    def run(self) -> list[dict[str, Any]]:
        """Run the floor script once."""
        return floor.run(self.options, floor.Stopwatch())

    def one(self, question: str) -> tuple[Any, ...] | None:
        """Return the first row of a query on the warehouse."""
        with duckdb.connect(self.options.warehouse) as connection:
            return connection.execute(question).fetchone()


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    """A server with an empty directory."""
    (tmp_path / "inbox").mkdir()
    with openssh_server(tmp_path / "sshd") as server:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(server.known_hosts_line())
        yield Setup(
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
    """Return rows read, applied and unchanged, and profiles created and updated."""
    names = ("rows_read", "rows_applied", "rows_unchanged", "profiles_created", "profiles_updated")
    return tuple(file[name] for name in names)


def test_changed_rows_of_a_file_are_applied(setup: Setup) -> None:
    """A first import creates profiles, a changed file applies its changed rows, an unchanged one is not fetched."""
    write_customers(setup.inbox / "customers.csv", rows=1000)
    assert [counted(file) for file in setup.run()] == [(1000, 1000, 0, 1000, 0)]
    write_customers(setup.inbox / "customers.csv", rows=1000, changed=0.1)
    assert [counted(file) for file in setup.run()] == [(1000, 100, 900, 0, 100)]
    assert setup.run() == []
    assert setup.one("select count(*), count(*) filter (last_name like 'Renamed%') from profile") == (1000, 100)
    assert setup.one("select count(*), count(distinct value) from profile_identifier") == (2000, 2000)
    assert setup.one("select count(*) from imported_row") == (1000,)


def test_a_new_time_of_known_bytes_is_stored(setup: Setup) -> None:
    """For a file with known bytes only the new modification time is stored."""
    file = write_customers(setup.inbox / "customers.csv", rows=10)
    setup.run()
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert len(setup.run()) == 1
    assert setup.run() == []
    assert setup.one("select count(*) from profile_change") == (10,)


def test_irregular_rows_are_handled(setup: Setup) -> None:
    """Rows of the same person are merged, empty cells keep the property, and invalid rows are quarantined."""
    rows = [
        "a@example.com,C1,Ann,First,1,1.00,1990-01-02,2026-01-01 10:00:00,true,x;y;x,Leeds,GB,0171",
        " A@Example.com,C1,,Second,n/a,2.50,1990-02-31,2026-01-02 10:00:00,false,,Leeds,GB,0171",
        "b@example.com,C2,Ben",
        "unknown,C3,Cid,Third,1,1.00,1990-01-02,2026-01-01 10:00:00,true,x,Leeds,GB,0171",
    ]
    (setup.inbox / "customers.csv").write_text("\n".join([",".join(CELLS), *rows, ""]))
    [file] = setup.run()
    assert counted(file) == (4, 2, 0, 1, 0)
    assert (file["rows_rejected"], file["rows_without_identifier"], file["values_invalid"]) == (1, 1, 2)
    kept = setup.one(
        "select email, first_name, last_name, order_count, order_total::double, interests, zip from profile"
    )
    assert kept == ("a@example.com", "Ann", "Second", 1, 2.5, ["x", "y"], "0171")
    assert setup.one("select list(field order by field) filter (value is not null) from quarantine") == (
        ["Birthday", "Orders"],
    )


def test_rows_without_an_identifier_are_retried(setup: Setup) -> None:
    """Rows without an identifier are retried with a changed file; applied rows are not."""
    identified = "a@example.com,C1,Ann,First,1,1.00,1990-01-02,2026-01-01 10:00:00,true,x,Leeds,GB,0171"
    unidentified = identified.replace("a@example.com", "")
    for rows, expected in (
        ([identified, unidentified], (2, 1, 0, 1, 0)),
        ([identified, unidentified, unidentified], (3, 0, 1, 0, 0)),
    ):
        (setup.inbox / "customers.csv").write_text("\n".join([",".join(CELLS), *rows, ""]))
        [file] = setup.run()
        assert counted(file) == expected
        assert file["rows_without_identifier"] == len(rows) - 1
