"""What runs cost where many profiles exist and few changed, for this build and another, at two sizes.

Each build fills a warehouse of each size once, by an import and an export of all. Every try starts from a copy, in a
separate process, without Dagster and without a server: an import of 10,000 rows of which 100 are new and 100 changed,
an export of nothing, an export of what 350 changed rows changed, and a look at one person. CPU seconds.

`python -m cdp_sync_tests.benchmarks.growth_bench --rows 1000000 10000000 --repeat 3 --against ../other-checkout`
"""

import argparse
import importlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

HERE = Path(__file__).parents[2]
SEED = 1

SMALL = """
copy (
    (
        select * exclude (ordinality) replace (
            if(ordinality % {step} = 0 and ordinality // {step} <= {changed}, 'Renamed', '') || LastName as LastName
        )
        from read_csv($source, all_varchar = true) with ordinality
        where ordinality % {every} = 0 and ordinality // {every} <= {rows}
    )
    union all
    (
        select * replace ('new' || Email as Email, 'N' || CustomerId as CustomerId)
        from read_csv($source, all_varchar = true)
        limit {new}
    )
)
to '{target}' (header)
"""


def small_file(first: Path, target: Path, rows: int, *, of: int, changed: int, new: int) -> None:
    """Write so many rows from everywhere in the first file, some of them changed, and new ones."""
    every = of // rows
    step = every * (rows // changed)
    query = SMALL.format(step=step, changed=changed, every=every, rows=rows, new=new, target=target)
    with duckdb.connect() as connection:
        connection.execute(query, {"source": str(first)})


def imports(folder: Path, source: Path) -> dict[str, int]:
    """Import a file, by what stands here alone: the package of another build may lack what other benchmarks share."""
    from cdp_sync.importing import ImportRun
    from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
    from cdp_sync.importing.staging.parsing import stage_files
    from cdp_sync.model import FetchedFile, FileGoal, Profiles, RemoteFile
    from cdp_sync.warehouse import Warehouse
    from cdp_sync_tests.benchmarks.floor_sql import PROPERTIES
    from cdp_sync_tests.benchmarks.project import profile_model

    goal = FileGoal(
        name="customers",
        directory="/in",
        format={"multi_value": ";"},
        link=[{"field": "Email", "property": "email"}],
        map=[{"field": cell, "property": name} for name, _, cell, _ in PROPERTIES if name != "email"],
    )
    profiles = Profiles.model_validate(profile_model())
    warehouse = Warehouse(folder / "warehouse.duckdb")
    run = ImportRun(source.stem, "bench", goal, profiles, warehouse, folder / f"{source.stem}.staging")
    remote = RemoteFile(datetime(2026, 1, 1, tzinfo=UTC), f"/in/{source.name}", source.stat().st_size)
    stage_files(run, [FetchedFile(remote, source, source.stem)])
    link_identifiers(run)
    counters = upsert_profiles(run).counters
    return {"created": counters.profiles_created, "updated": counters.profiles_updated}


def exports(folder: Path, _source: Path) -> dict[str, int]:
    """Export ten columns of everybody whose values changed."""
    from cdp_sync.exporting.files.delivering import DeliveredFile, write_file
    from cdp_sync.exporting.recording import record_delivery
    from cdp_sync.exporting.run import FileRun
    from cdp_sync.exporting.select import select_segment, verify_recordable
    from cdp_sync.model import FileExportGoal, Profiles
    from cdp_sync.warehouse import Warehouse
    from cdp_sync_tests.benchmarks.floor_sql import PROPERTIES
    from cdp_sync_tests.benchmarks.project import profile_model

    goal = FileExportGoal(
        name="audience",
        segment="everybody",
        directory="/out",
        file={"name": "segment_and_timestamp"},
        format={"multi_value": ";", "row_delimiter": "linux"},
        map=[{"field": name, "property": name} for name, *_ in PROPERTIES[:10]],
    )
    profiles = Profiles.model_validate(profile_model())
    now = datetime.now(UTC)
    run = FileRun(
        str(now), "bench", goal, profiles, (), Warehouse(folder / "warehouse.duckdb"), folder / "export.staging",
        folder / "out", now,
    )  # fmt: skip
    counters = select_segment(run)
    verify_recordable(run, counters)
    file = write_file(run)
    delivered = DeliveredFile(run.path, file.size, "0" * 64, file.rows) if file else None
    record_delivery(run, counters, delivered)
    return {"in segment": counters.profiles_in_segment, "written": counters.profiles_written}


def looks(folder: Path, _source: Path) -> dict[str, int]:
    """Look at one person, by address."""
    from cdp_sync.warehouse import Warehouse
    from cdp_sync.warehouse.history import profiles_named

    with Warehouse(folder / "warehouse.duckdb").open("read") as session:
        return {"found": len(profiles_named(session, "user77777@example.com"))}


ACTS: dict[str, Callable[[Path, Path], dict[str, int]]] = {"import": imports, "export": exports, "look": looks}


MODULES = (
    "cdp_sync.importing.pipeline",
    "cdp_sync.exporting.pipeline",
    "cdp_sync.warehouse.history",
    "cdp_sync_tests.benchmarks.project",
    "numpy",
)


def once(act: str, folder: Path, source: Path) -> dict[str, Any]:
    """Do one thing in this process and return what it cost; what it takes to load modules does not count."""
    for module in MODULES:
        importlib.import_module(module)
    began, used = time.perf_counter(), _cpu()
    done = ACTS[act](folder, source)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.perf_counter() - began, "cpu": _cpu() - used, "peak": peak, "done": done}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def call(build: Path, act: str, folder: Path, source: Path) -> dict[str, Any]:
    """Do one thing in a separate process with the product of a checkout."""
    command = [sys.executable, __file__, "--once", act, str(folder), str(source)]
    environment = {**os.environ, "PYTHONPATH": str(build)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def tries(build: Path, base: Path, files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Do every case once on a copy of a filled warehouse; return the costs by case."""
    with tempfile.TemporaryDirectory(dir=base.parent) as spare:
        place = Path(spare)
        shutil.copy(base / "warehouse.duckdb", place)
        os.sync()  # otherwise a run waits until the copy is on the disk
        nothing = call(build, "export", place, files["small"])
        small = call(build, "import", place, files["small"])
        call(build, "export", place, files["small"])
        call(build, "import", place, files["changed"])
        changed = call(build, "export", place, files["small"])
        looked = [call(build, "look", place, files["small"]) for _ in range(3)]
    expected = {"created": 100, "updated": 100}
    if small["done"] != expected or nothing["done"]["written"] or changed["done"]["written"] != 350:
        raise SystemExit(f"The work is not as it should be: {small['done']}, {nothing['done']}, {changed['done']}")
    return {
        "import, 100 new, 100 changed": small,
        "export, nothing changed": nothing,
        "export, 350 changed": changed,
        "a person": sorted(looked, key=lambda each: each["cpu"])[1],
    }


def prepared(build: Path, base: Path, files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Fill a warehouse by a first import and a first export, unless that was done; return what these cost."""
    noted = base / "costs.json"
    if not noted.exists():
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(parents=True)
        costs = {
            "first import": call(build, "import", base, files["first"]),
            "first export": call(build, "export", base, files["first"]),
        }
        costs["first export"]["file"] = (base / "warehouse.duckdb").stat().st_size / 1e6
        for left in (*base.glob("*.staging*"), base / "out"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        noted.write_text(json.dumps(costs))
    return dict(json.loads(noted.read_text()))


def write_files(folder: Path, rows: int) -> dict[str, Path]:
    """Write the files of one size, unless they are there; return them by name."""
    from cdp_sync_tests.benchmarks.generate import write_customers

    files = {name: folder / f"{name}.csv" for name in ("first", "small", "changed")}
    folder.mkdir(parents=True, exist_ok=True)
    if not files["first"].exists():
        write_customers(files["first"], rows=rows, seed=SEED)
    if not files["changed"].exists():
        small_file(files["first"], files["small"], 9_900, of=rows, changed=100, new=100)
        small_file(files["first"], files["changed"], 350, of=rows, changed=350, new=0)
    return files


def main() -> None:
    """Run all cases and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--keep", type=Path, help="folder in which files and filled warehouses stay for another time")
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(once(options.once[0], *map(Path, options.once[1:]))))
        return
    builds = [HERE, *([options.against.resolve()] if options.against else [])]
    with tempfile.TemporaryDirectory() as spare:
        for rows in options.rows:
            print(f"{rows:,} profiles")
            for line in _measured(builds, (options.keep or Path(spare)) / str(rows), rows, options.repeat):
                print(line)


def _measured(builds: list[Path], place: Path, rows: int, repeat: int) -> Iterator[str]:
    """Run all cases at one size, with builds alternating; yield the lines of the table."""
    files = write_files(place, rows)
    costs: dict[str, dict[Path, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for build in builds:
        for case, cost in prepared(build, place / build.name, files).items():
            costs[case][build].append(cost)
    for turn in range(repeat):
        for build in builds if turn % 2 else reversed(builds):
            for case, cost in tries(build, place / build.name, files).items():
                costs[case][build].append(cost)
    for case, by_build in costs.items():
        yield _line(case, [by_build[build] for build in builds])


def _line(case: str, each: list[list[dict[str, Any]]]) -> str:
    cpu, peak = ([statistics.median(cost[figure] for cost in costs) for costs in each] for figure in ("cpu", "peak"))
    beside = f"  {cpu[0] / cpu[1]:5.2f} of {cpu[1]:.2f}" if len(cpu) > 1 else ""
    size = f"  {each[0][0]['file']:,.0f} MB" if "file" in each[0][0] else ""
    return f"{case:30}{cpu[0]:8.2f} CPU s{beside}{peak[0]:8.0f} MiB{size}"


if __name__ == "__main__":
    main()
