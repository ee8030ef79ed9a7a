"""Exports a million profiles with the product and the floor script; then 1 % of them changed, then none.

Both use the same warehouse and upload to the same OpenSSH server. A count of a segment of ten conditions is timed, too.

`python -m cdp_sync_tests.benchmarks.export_bench --rows 1000000 --repeat 3`
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from cdp_sync_tests.benchmarks.bench import Cost, cost_of, median_of, run
from cdp_sync_tests.benchmarks.project import write_export_project
from cdp_sync_tests.openssh import OpenSshServer, openssh_server

CASES = ("everybody", "1 % changed", "nobody changed", "segment")

PEOPLE = """
insert into profile by name
select
    uuidv7() as profile_id,
    timestamptz '2026-01-01 00:00:00+00' + to_microseconds(i) as created_at,
    created_at as updated_at,
    'person' || i || '@example.com' as email,
    'C' || i as customer_id,
    'First' || i % 5000 as first_name,
    'Last' || i % 70000 as last_name,
    i % 50 as order_count,
    (i % 100000) / 100 as order_total,
    date '1950-01-01' + (i % 20000)::integer as birthday,
    timestamptz '2026-01-01 00:00:00+00' + to_seconds(i % 5000000) as last_seen,
    i % 3 = 0 as newsletter,
    [['art', 'books', 'music', 'sport'][i % 4 + 1], 'garden'] as interests,
    'City' || i % 900 as city
from range({rows}) people(i)"""

CHANGE = "update profile set order_total = order_total + 1 where hash(profile_id) % 100 = 0"


@dataclass(frozen=True)
class Setup:
    """A server with a directory, and a project with a filled warehouse."""

    server: OpenSshServer
    folder: Path
    known_hosts: Path
    command: str

    @property
    def warehouse(self) -> Path:
        """The warehouse that both programs export from."""
        return self.folder / "data" / "warehouse.duckdb"

    @property
    def outbox(self) -> Path:
        """The directory that both programs write to."""
        return self.folder / "outbox"

    def product(self, case: str) -> Cost:
        """Run the product's export once and return its cost."""
        summary, life = run([self.command, "run", "bench", "--json"], self.folder)
        if summary["state"] != "success":
            raise SystemExit(f"{case}: {[goal.get('message') for goal in summary['goals']]}")
        return cost_of("product", case, life, summary["seconds"], summary["goals"])

    def segment(self) -> Cost:
        """Count a segment of ten conditions with the product and return its cost."""
        summary, life = run(
            [sys.executable, "-m", "cdp_sync_tests.benchmarks.export_bench", "--segment-only"], self.folder
        )
        return cost_of("product", "segment", life, summary["seconds"], [])

    def floor(self, case: str) -> Cost:
        """Run the floor script once and return its cost."""
        options = {
            "host": self.server.host,
            "port": self.server.port,
            "user": self.server.username,
            "identity": self.server.client_key,
            "known-hosts": self.known_hosts,
            "directory": self.outbox,
            "warehouse": self.warehouse,
        }
        script = "cdp_sync_tests.benchmarks.export_floor"
        summary, life = run([sys.executable, "-m", script, *(f"--{k}={v}" for k, v in options.items())], self.folder)
        return cost_of("floor", case, life, summary["seconds"], summary["goals"])

    def change(self) -> None:
        """Change 1 % of the profiles."""
        with duckdb.connect(self.warehouse) as connection:
            connection.execute(CHANGE)


def run_round(setup: Setup, *, floor_first: bool) -> list[Cost]:
    """Run each case once and return the costs."""
    both = [setup.floor, setup.product] if floor_first else [setup.product, setup.floor]
    costs = [who("everybody") for who in both]
    if len({cost.counters["profiles_written"] for cost in costs}) > 1:
        raise SystemExit(f"They did not do the same work: {[(cost.who, cost.counters) for cost in costs]}")
    setup.change()
    return [*costs, setup.product("1 % changed"), setup.product("nobody changed"), setup.segment()]


def table(costs: list[Cost]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'case':16}{'product s':>11}{'floor s':>9}{'ratio':>7}{'peak MB':>9}"
    first = median_of(costs, "product", "everybody", "seconds")
    for case in CASES:
        work = median_of(costs, "product", case, "seconds")
        floor = median_of(costs, "floor", case, "seconds") if case == "everybody" else None
        beside = f"{floor:9.2f}{work / floor:7.2f}" if floor else f"{'-':>9}{'-':>7}"
        share = f"  {work / first:.2f} of the first" if case not in ("everybody", "segment") else ""
        yield f"{case:16}{work:11.2f}{beside}{median_of(costs, 'product', case, 'peak_mb'):9.0f}{share}"


def count_segment() -> None:
    """Time the count of the segment of ten conditions and print the seconds as JSON."""
    from cdp_sync.inspection import look_at_segment
    from cdp_sync.orchestration.declarations import load_declarations

    declared = load_declarations()
    look_at_segment(declared, "everybody")
    began = time.perf_counter()
    view = look_at_segment(declared, "ten_conditions")
    print(json.dumps({"seconds": round(time.perf_counter() - began, 3), "size": view.size}))


@contextmanager
def _setup(folder: Path, rows: int, command: str) -> Iterator[Setup]:
    with tempfile.TemporaryDirectory() as own, openssh_server(Path(own, "sshd")) as server:
        known_hosts = Path(own, "known_hosts")
        known_hosts.write_text(server.known_hosts_line())
        setup = Setup(server, folder, known_hosts, command)
        write_export_project(folder, server, setup.outbox)
        run([command, "segment", "everybody", "--json"], folder)
        fill_people(setup.warehouse, rows)
        yield setup


def fill_people(warehouse: Path, rows: int) -> None:
    """Fill a new warehouse in a separate process, as a child inherits its parent's peak memory."""
    from cdp_sync.model import Profiles
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.properties import sync_properties
    from cdp_sync_tests.benchmarks.project import profile_model

    with Warehouse(warehouse).open("write") as session:
        sync_properties(session, Profiles.model_validate(profile_model()))
    fill = f"set enable_progress_bar = false; {PEOPLE.format(rows=rows)}"
    code = f"import duckdb; duckdb.connect({str(warehouse)!r}).execute({fill!r})"
    run([sys.executable, "-c", f"{code}; print('{{}}')"], warehouse.parent)


def main() -> None:
    """Run all rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--product", default=str(Path(sys.executable).with_name("cdp-sync")), help="the command to run")
    parser.add_argument("--segment-only", action="store_true", help="time the segment of the project in this folder")
    options = parser.parse_args()
    if options.segment_only:
        count_segment()
        return
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as spare:
        for turn in range(options.repeat):
            folder = Path(spare, f"round{turn + 1}")
            try:
                with _setup(folder, options.rows, options.product) as setup:
                    costs += run_round(setup, floor_first=turn % 2 == 1)
            except pytest.skip.Exception as reason:
                raise SystemExit(f"No benchmark: {reason}.") from None
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
