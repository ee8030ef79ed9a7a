"""What merging costs: a first import with two rules beside the same without, many merges in one run, and their disk.

Customers have a number, by which rows are linked, and an address, a card and a postal code, by which rules merge them.
Each round imports the same generated file without rules and with rules that merge few, and merges many pairs that were
imported without rules. All in one process each, side by side, in turn.

`python -m cdp_sync_tests.benchmarks.merges_bench --rows 1000000 --pairs 100000 --repeat 3`
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import duckdb

from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_files
from cdp_sync.merging import apply_rules
from cdp_sync.model import FileGoal, Profiles
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.trail.importer import arrived

PROPERTIES = [
    {"name": "number", "identifier": True},
    {"name": "email", "type": "email", "identifier": True},
    {"name": "card", "identifier": True},
    {"name": "postal_code"},
    {"name": "first_name"},
    {"name": "last_name"},
    {"name": "city"},
    {"name": "total", "type": "decimal", "merge": "sum"},
    {"name": "seen_at", "type": "datetime", "merge": "highest"},
    {"name": "interests", "multiple": True},
]
RULES = [{"property": "email"}, {"property": "card", "and": [{"same": "postal_code"}]}]
MAPPED = [
    {"field": prop["name"], "property": prop["name"], "mode": "add" if prop.get("multiple") else "set"}
    for prop in PROPERTIES[1:]
]


@dataclass(frozen=True)
class Measured:
    """What one process took."""

    seconds: float
    cpu: float
    memory: float
    """MiB at most."""
    merged: int
    disk: int
    """Bytes of the warehouse afterwards."""
    rows: int
    """Bytes of its live rows alone, written anew: DuckDB keeps dead rows for a while."""


def write_file(path: Path, rows: int, pairs: int) -> None:
    """Write customers; each of the last `pairs` has the address of one of the first."""
    duckdb.sql(
        f"""copy (
            select
                'c' || i as number,
                'u' || case when i >= {rows - pairs} then i - {rows - pairs} else i end || '@x.nl' as email,
                '9' || lpad(i::varchar, 9, '0') as card, (1000 + i % 9000) || ' AB' as postal_code,
                'First' || i % 5000 as first_name, 'Last' || i % 90000 as last_name, 'City' || i % 700 as city,
                (i % 10000 / 100)::decimal(18, 2) as total,
                '2026-01-01T00:00:00Z'::timestamptz + to_seconds((i % 9000000)::bigint) as seen_at,
                'tag' || i % 50 as interests
            from range({rows}) t(i)
        ) to '{path}' (header)"""
    )


def model(*, rules: bool) -> Profiles:
    """Return the profile model, with merge rules or without."""
    return Profiles.model_validate({"properties": PROPERTIES, "merge_rules": RULES if rules else []})


def import_file(folder: Path, file: Path, *, rules: bool) -> None:
    """Import the file into the warehouse of the folder."""
    goal = FileGoal.model_validate({"name": "crm", "link": [{"field": "number", "property": "number"}], "map": MAPPED})
    run = ImportRun(
        run_id="run", connection="crm", goal=goal, profiles=model(rules=rules),
        warehouse=Warehouse(folder / "warehouse.duckdb"), staging=folder / "staging.duckdb",
    )  # fmt: skip
    report = import_files(run, arrived(folder / "fetched", {"/crm.csv": file.read_bytes()}))
    if report.state != "success":
        raise RuntimeError(report.message)


def merge(folder: Path) -> int:
    """Merge by the rules what was imported without them; return how many profiles."""
    warehouse = Warehouse(folder / "warehouse.duckdb")
    return apply_rules(warehouse, model(rules=True), run_id="merge", now=datetime.now(UTC)).merged


def measured(work: Callable[[], object], folder: Path) -> Measured:
    """Return what work takes in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_measure, work, folder).result()


def _measure(work: Callable[[], object], folder: Path) -> Measured:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = work()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = (folder / "warehouse.duckdb").stat().st_size
    merged = found if isinstance(found, int) else 0
    return Measured(seconds, cpu, after.ru_maxrss / 1024, merged, size, _live_bytes(folder))


def _live_bytes(folder: Path) -> int:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copy = Path(scratch) / "copy.duckdb"
        with duckdb.connect(str(copy)) as connection:
            connection.execute(f"attach '{folder / 'warehouse.duckdb'}' as warehouse (read_only)")
            tables = connection.execute("select table_name from duckdb_tables() where database_name = 'warehouse'")
            for (name,) in tables.fetchall():
                connection.execute(f"create table {name} as from warehouse.{name}")
        return copy.stat().st_size


@dataclass(frozen=True)
class Import:
    """An import to measure."""

    folder: Path
    file: Path
    rules: bool

    def __call__(self) -> None:
        """Import the file."""
        import_file(self.folder, self.file, rules=self.rules)


@dataclass(frozen=True)
class Merge:
    """Many merges to measure."""

    folder: Path

    def __call__(self) -> int:
        """Merge."""
        return merge(self.folder)


def round_of(folder: Path, few: Path, many: Path) -> tuple[Measured, Measured, Measured, Measured]:
    """Return an import without rules, the same with rules, one that brings many pairs, and their merge."""
    found = []
    for number, (file, rules) in enumerate(((few, False), (few, True), (many, False))):
        place = folder / str(number)
        place.mkdir()
        found.append(measured(Import(place, file, rules), place))
    without, ruled, brought = found
    return without, ruled, brought, measured(Merge(place), place)


def main() -> None:
    """Measure in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as scratch:
        few, many = Path(scratch) / "few.csv", Path(scratch) / "many.csv"
        write_file(few, options.rows, options.rows // 1000)
        write_file(many, options.rows, options.pairs)
        for _ in range(options.repeat):
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                rounds.append(round_of(Path(folder), few, many))
    columns = list(zip(*rounds, strict=True))
    names = ("import without rules", "import with two rules", f"import with {options.pairs:,} pairs", "their merge")
    for name, column in zip(names, columns, strict=True):
        seconds, cpu = (statistics.median(getattr(each, key) for each in column) for key in ("seconds", "cpu"))
        print(f"{name:32} {seconds:7.2f} s {cpu:7.2f} s CPU {max(each.memory for each in column):7.0f} MiB")
    ratios = [(ruled.cpu / without.cpu, ruled.seconds / without.seconds) for without, ruled, *_ in rounds]
    shares = [(merged.cpu / brought.cpu, merged.seconds / brought.seconds) for *_, brought, merged in rounds]
    disk = [(merged.disk - brought.disk) / brought.disk for *_, brought, merged in rounds]
    live = [(merged.rows - brought.rows) / brought.rows for *_, brought, merged in rounds]
    for name, pairs in (("rules / none", ratios), ("merge / import", shares)):
        cpu, seconds = (statistics.median(each) for each in zip(*pairs, strict=True))
        print(f"{name:32} {seconds:7.3f}   {cpu:7.3f} of CPU")
    print(f"{'disk of the merges / warehouse':32} {statistics.median(disk):7.3f}")
    print(f"{'the same of live rows':32} {statistics.median(live):7.3f}")
    print(f"{'merged':32} {rounds[-1][-1].merged:7,}")


if __name__ == "__main__":
    main()
