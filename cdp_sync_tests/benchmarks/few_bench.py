"""Imports a small file of changed rows into a warehouse with many profiles, for this build and another.

Each build fills its warehouse once and copies it for each run. A run is a separate process that stages, links and
upserts, without Dagster and without a server. There are two files: consecutive rows of the first file, and rows from
everywhere in it.

`python -m cdp_sync_tests.benchmarks.few_bench --rows 1000000 --few 10000 --repeat 5 --against ../other-checkout`
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

HERE = Path(__file__).parents[2]
FILES = ("side by side", "all over")

CHANGED = """
copy (
    select * replace ('Renamed' || LastName as LastName, Total::decimal(18, 2) + 1 as Total)
    from read_csv($source, all_varchar = true) with ordinality
    where {which}
)
to '{target}' (header)
"""


def run_once(folder: Path, source: Path) -> dict[str, float]:
    """Import one file into the folder's warehouse with the installed product; return the cost."""
    from cdp_sync.importing import ImportRun
    from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
    from cdp_sync.importing.staging.parsing import stage_files
    from cdp_sync.model import FetchedFile, FileGoal, Profiles, RemoteFile
    from cdp_sync.warehouse import Warehouse
    from cdp_sync_tests.benchmarks.project import PROPERTIES, profile_model

    goal = FileGoal(
        name="customers",
        directory="/in",
        format={"multi_value": ";"},
        link=[{"field": "Email", "property": "email"}],
        map=[{"field": cell, "property": name} for name, _, cell, _ in PROPERTIES if name != "email"],
    )
    warehouse = Warehouse(folder / "warehouse.duckdb")
    profiles = Profiles.model_validate(profile_model())
    run = ImportRun(source.stem, "bench", goal, profiles, warehouse, folder / f"{source.stem}.staging")
    remote = RemoteFile(datetime(2026, 1, 1, tzinfo=UTC), f"/in/{source.name}", source.stat().st_size)
    began, used = time.perf_counter(), _cpu()
    stage_files(run, [FetchedFile(remote, source, source.stem)])
    link_identifiers(run)
    counters = upsert_profiles(run).counters
    cost = {"seconds": time.perf_counter() - began, "cpu": _cpu() - used}
    return {**cost, "created": counters.profiles_created, "updated": counters.profiles_updated}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def call(build: Path, folder: Path, source: Path) -> dict[str, float]:
    """Run `run_once` in a separate process with the product of a checkout."""
    command = [sys.executable, __file__, "--once", str(folder), str(source)]
    environment = {**os.environ, "PYTHONPATH": str(build)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def write_files(folder: Path, rows: int, few: int) -> dict[str, Path]:
    """Write the first file and the files of changed rows; return them by name."""
    from cdp_sync_tests.benchmarks.generate import write_customers

    first = write_customers(folder / "first.csv", rows=rows)
    every = rows // few
    which = {"side by side": f"ordinality <= {few}", "all over": f"ordinality % {every} = 0"}
    files = {name: folder / f"{name.replace(' ', '_')}.csv" for name in FILES}
    with duckdb.connect() as connection:
        for name, file in files.items():
            connection.execute(CHANGED.format(which=which[name], target=file), {"source": str(first)})
    return {"first": first, **files}


def tries(
    builds: list[Path], folder: Path, options: argparse.Namespace
) -> Iterator[tuple[str, Path, dict[str, float]]]:
    """Yield file, build and cost of each run, with builds alternating."""
    files = write_files(folder, options.rows, options.few)
    bases = {build: folder / f"base{number}" for number, build in enumerate(builds)}
    for build, base in bases.items():
        base.mkdir()
        call(build, base, files["first"])
    for turn in range(options.repeat):
        for name in FILES:
            for build in builds if turn % 2 else reversed(builds):
                place = folder / "try"
                place.mkdir()
                shutil.copy(bases[build] / "warehouse.duckdb", place)
                os.sync()  # otherwise the import waits until the copy is on disk
                cost = call(build, place, files[name])
                if cost["updated"] != options.few:
                    raise SystemExit(f"{name}: {cost['updated']} profiles were updated, not {options.few}")
                shutil.rmtree(place)
                yield name, build, cost


def main() -> None:
    """Run all cases and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=10_000, help="rows of the small file")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--once", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(run_once(*options.once)))
        return
    builds = [HERE, *([options.against.resolve()] if options.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        costs = list(tries(builds, Path(folder), options))
    print(f"{options.few:,} changed rows into {options.rows:,} profiles")
    for name in FILES:
        for figure in ("seconds", "cpu"):
            medians = [
                statistics.median(cost[figure] for of, by, cost in costs if (of, by) == (name, build))
                for build in builds
            ]
            ratio = f"  {medians[0] / medians[1]:.2f} of {medians[1]:.2f}" if len(builds) > 1 else ""
            print(f"{name:14}{figure:9}{medians[0]:6.2f}{ratio}")


if __name__ == "__main__":
    main()
