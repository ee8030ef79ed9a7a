"""Runs the product and the floor script on the same files and prints the cost of each.

Both fetch the same file from the same OpenSSH server, each into a warehouse of its own: a first import, the file with a
share of its rows changed, and the file unchanged. The order alternates; figures are medians.

`python -m cdp_sync_tests.benchmarks.bench --rows 1000000 --changed 0.1 --repeat 3`
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.benchmarks.project import REPOSITORY, environment, write_project
from cdp_sync_tests.openssh import OpenSshServer, openssh_server

CASES = ("first", "changed", "unchanged")
COUNTERS = (
    *("rows_read", "rows_applied", "rows_unchanged", "rows_rejected"),
    *("profiles_created", "profiles_updated", "profiles_written"),
)


@dataclass(frozen=True)
class Life:
    """The resources of a process that has ended."""

    wall: float
    cpu: float
    """CPU seconds, including child processes that were waited for, but not the floor's SSH control process."""
    peak_mb: float


@dataclass(frozen=True)
class Cost:
    """The cost of one run of the product or the floor script."""

    who: str
    case: str
    seconds: float
    """Seconds of work, as measured by the program."""
    start_up: float
    """Seconds of the process before and after its work."""
    cpu: float
    peak_mb: float
    counters: dict[str, int]


@dataclass(frozen=True)
class Setup:
    """A server with a directory, and the two versions of its file."""

    server: OpenSshServer
    folder: Path
    known_hosts: Path

    @property
    def directory(self) -> Path:
        """The directory that both programs read."""
        return self.folder / "inbox"

    def deliver(self, case: str) -> None:
        """Link the case's file into the directory, with a modification time in the past."""
        if case == "unchanged":
            return
        source, target = self.folder / f"{case}.csv", self.directory / "customers.csv"
        written = time.time() - {"first": 7200, "changed": 3600}[case]
        target.unlink(missing_ok=True)
        target.hardlink_to(source)
        os.utime(target, (written, written))


def run_product(case: str, place: Path, command: str) -> Cost:
    """Run the product's connection once and return its cost."""
    summary, life = run([command, "run", "bench", "--json"], place)
    if summary["state"] != "success":
        raise SystemExit(
            f"{case}: the run ended as {summary['state']}: {[goal.get('message') for goal in summary['goals']]}"
        )
    return cost_of("product", case, life, summary["seconds"], summary["goals"])


def run_floor(setup: Setup, case: str, place: Path) -> Cost:
    """Run the floor script once and return its cost."""
    options = {
        "host": setup.server.host,
        "port": setup.server.port,
        "user": setup.server.username,
        "identity": setup.server.client_key,
        "known-hosts": setup.known_hosts,
        "directory": setup.directory,
        "warehouse": place / "floor.duckdb",
    }
    call = [sys.executable, "-m", "cdp_sync_tests.benchmarks.floor", *(f"--{k}={v}" for k, v in options.items())]
    summary, life = run(call, place)
    return cost_of("floor", case, life, summary["seconds"], summary["files"])


def run_round(setup: Setup, place: Path, *, command: str | None, floor_first: bool) -> list[Cost]:
    """Run each case once with both programs, from an empty warehouse each."""
    write_project(place, setup.server, setup.directory)
    costs = []
    for case in CASES:
        setup.deliver(case)
        runs = [partial(run_floor, setup, case, place)]
        if command:
            runs.append(partial(run_product, case, place, command))
        pair = [run() for run in (runs if floor_first else reversed(runs))]
        if any(cost.counters != pair[0].counters for cost in pair):
            raise SystemExit(f"{case}: they did not do the same work: {[(cost.who, cost.counters) for cost in pair]}")
        costs += pair
    return costs


def table(costs: list[Cost], rows: int) -> Iterator[str]:
    """Yield the lines of the table; in a column with two figures the product's is first."""
    yield f"{'case':10}{'product s':>11}{'floor s':>9}{'ratio':>7}{'rows/s':>20}{'CPU s':>14}{'peak MB':>14}"
    for case in CASES:
        work = _medians(costs, case, "seconds")
        ratio = f"{work['product'] / work['floor']:.2f}" if "product" in work else "-"
        speed = " / ".join(f"{rows / seconds:,.0f}" if case != "unchanged" else "-" for seconds in work.values())
        cpu = " / ".join(f"{cpu:.1f}" for cpu in _medians(costs, case, "cpu").values())
        peak = " / ".join(f"{peak:.0f}" for peak in _medians(costs, case, "peak_mb").values())
        yield f"{case:10}{_seconds(work)}{ratio:>7}{speed:>20}{cpu:>14}{peak:>14}"
    yield f"{'start-up':10}{_seconds(_medians(costs, None, 'start_up'))}"


def _seconds(figures: dict[str, float]) -> str:
    product = f"{figures['product']:.2f}" if "product" in figures else "-"
    return f"{product:>11}{figures['floor']:9.2f}"


def _medians(costs: list[Cost], case: str | None, figure: str) -> dict[str, float]:
    """Return the median of a figure for the floor and, where it ran, for the product."""
    found: dict[str, list[float]] = {"product": [], "floor": []}
    for cost in costs:
        if case in (None, cost.case):
            found[cost.who].append(getattr(cost, figure))
    return {who: statistics.median(values) for who, values in found.items() if values}


def median_of(costs: list[Cost], who: str, case: str, figure: str) -> float:
    """Return the median of one figure of one case."""
    return statistics.median(getattr(cost, figure) for cost in costs if (cost.who, cost.case) == (who, case))


def run(call: list[str], place: Path) -> tuple[dict[str, Any], Life]:
    """Run a program that prints JSON; return the JSON and the resources of the process."""
    began = time.perf_counter()
    with subprocess.Popen(call, cwd=place, env=environment(place), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        # `wait4` returns the resources of this child process alone.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{call[0]} ended with {process.returncode}: {printed.decode(errors='replace')[-2000:]}")
    life = Life(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    return json.loads(printed), life


def cost_of(who: str, case: str, life: Life, seconds: float, parts: list[dict[str, Any]]) -> Cost:
    """Return the cost of a run, with the counters of its parts summed."""
    counters = {name: sum(part.get(name) or 0 for part in parts) for name in COUNTERS}
    return Cost(who, case, seconds, life.wall - seconds, life.cpu, life.peak_mb, counters)


@contextmanager
def _setup(folder: Path, rows: int, changed: float) -> Iterator[Setup]:
    """Generate the files and serve them. A separate process generates, as a child inherits its parent's peak memory."""
    (folder / "inbox").mkdir(parents=True)
    first, second = folder / "first.csv", folder / "changed.csv"
    generate = [sys.executable, "-m", "cdp_sync_tests.benchmarks.generate", f"--rows={rows}", f"--changed={changed}"]
    subprocess.run([*generate, f"--out={first}", f"--changed-out={second}"], check=True, cwd=REPOSITORY)
    with tempfile.TemporaryDirectory() as own, openssh_server(Path(own, "sshd")) as server:
        known_hosts = Path(own, "known_hosts")
        known_hosts.write_text(server.known_hosts_line())
        yield Setup(server, folder, known_hosts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changed", type=float, default=0.1, help="share of the rows that differ in the second file")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="use this new folder and keep it")
    parser.add_argument("--json", action="store_true", help="print each run instead of the table")
    parser.add_argument("--product", default=str(Path(sys.executable).with_name("cdp-sync")), help="the command to run")
    parser.add_argument("--floor-only", action="store_true", help="leave the product out")
    return parser.parse_args()


def main() -> None:
    """Run all rounds and print the table, or all costs as JSON."""
    options = _options()
    costs: list[Cost] = []
    command = None if options.floor_only else options.product
    with tempfile.TemporaryDirectory() as spare:
        folder = options.keep or Path(spare, "bench")
        try:
            with _setup(folder, options.rows, options.changed) as setup:
                for turn in range(options.repeat):
                    place = folder / f"round{turn + 1}"
                    costs += run_round(setup, place, command=command, floor_first=turn % 2 == 1)
        except pytest.skip.Exception as reason:
            raise SystemExit(f"No benchmark: {reason}.") from None
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs]))
    else:
        print("\n".join(table(costs, options.rows)))


if __name__ == "__main__":
    main()
