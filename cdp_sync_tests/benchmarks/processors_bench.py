"""Imports a file without processors, with five built-in ones, and with a Python one that lower-cases a column.

Each run is a separate process with a new warehouse; the three goals alternate, and the fastest run of each counts.
Medians of seconds, CPU seconds and memory are printed as well, because other work on the machine delays all.

`python -m cdp_sync_tests.benchmarks.processors_bench --rows 1000000 --repeat 3`
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

GOALS: dict[str, list[dict[str, Any]]] = {
    "without": [],
    "five built in": [
        {"clean_email": {"field": "Email", "correct_domains": True}},
        {"casing": {"field": "City", "to": "upper"}},
        {"convert_values": {"field": "Gender", "values": {"M": "man", "F": "woman"}}},
        {"filter": {"field": "City", "drop": "^CITY 99$"}},
        {"concatenate": {"fields": ["First", "Last"], "into": "Name"}},
    ],
    "python": [{"python": {"function": "cdp_sync_tests.benchmarks.processors_bench:lower", "fields": ["City"]}}],
}
LIMITS = {"five built in": 1.25, "python": 2.0}
"""The largest ratio of an import's seconds to those without processors."""

PROPERTIES = ("first", "last", "city", "gender", "phone", "street", "note", "name")

ROWS = """copy (
    select 'Person' || i || '@Example' || (i % 50) || '.com' as Email, 'First' || (i % 5000) as First,
        'Last' || (i % 90000) as Last, 'City ' || (i % 400) as City, ['M', 'F', ''][i % 3 + 1] as Gender,
        '+3120' || (1000000 + i) as Phone, 'Street ' || i as Street, 'Note of ' || md5(i::varchar) as Note
    from range({rows}) r(i)
) to '{path}' (header)"""


def lower(rows: Any) -> Any:
    """Change a column to lower case."""
    return rows.assign(City=rows["City"].str.lower())


def run_once(folder: Path, source: Path, processors: list[dict[str, Any]]) -> dict[str, float]:
    """Import the file with these processors; return the cost."""
    from cdp_sync.importing import ImportRun
    from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
    from cdp_sync.importing.staging.parsing import stage_files
    from cdp_sync.model import FetchedFile, FileGoal, Profiles, RemoteFile
    from cdp_sync.warehouse import Warehouse

    fields = [name for name in PROPERTIES if name != "name"]
    goal = FileGoal.model_validate(
        {
            "name": "people",
            "link": [{"field": "Email", "property": "email"}],
            "map": [{"field": name.title(), "property": name} for name in fields],
            "processors": processors,
        }
    )
    properties = [{"name": "email", "type": "email", "identifier": True}, *({"name": name} for name in PROPERTIES)]
    run = ImportRun(
        "bench",
        "bench",
        goal,
        Profiles.model_validate({"properties": properties}),
        Warehouse(folder / "warehouse.duckdb"),
        folder / "staging.duckdb",
    )
    remote = RemoteFile(datetime(2026, 1, 1, tzinfo=UTC), "/in/people.csv", source.stat().st_size)
    began = time.perf_counter()
    stage_files(run, [FetchedFile(remote, source, "digest")])
    link_identifiers(run)
    counters = upsert_profiles(run).counters
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return {
        "seconds": seconds,
        "cpu": cpu,
        "megabytes": memory,
        "applied": counters.rows_applied,
        "read": counters.rows_read,
    }


def main() -> None:
    """Measure, print the table, and fail if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "SOURCE", "GOAL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        folder, source, name = arguments.one
        print(json.dumps(run_once(Path(folder), Path(source), GOALS[name])))
        return
    tries: dict[str, list[dict[str, float]]] = {name: [] for name in GOALS}
    with tempfile.TemporaryDirectory(prefix="cdp_sync_bench_") as place:
        source = Path(place, "people.csv")
        duckdb.sql(ROWS.format(rows=arguments.rows, path=source))
        for attempt in range(arguments.repeat):
            for number, (name, found) in enumerate(tries.items()):
                folder = Path(place, f"{attempt}_{number}")
                folder.mkdir()
                command = [sys.executable, "-m", __spec__.name, "--one", str(folder), str(source), name]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found.append(json.loads(done.stdout))
                shutil.rmtree(folder)
    late = show(tries)
    sys.exit(f"slower than allowed: {', '.join(late)}" if late else 0)


def show(tries: dict[str, list[dict[str, float]]]) -> list[str]:
    """Print a table; return the goals that took longer than allowed, by their best tries."""
    print(f"{'processors':<16}{'seconds':>9}{'times':>7}{'limit':>7}{'median':>9}{'CPU':>9}{'times':>7}{'MB':>7}")
    late = []
    for name, found in tries.items():
        best, plain = (min(each["seconds"] for each in of) for of in (found, tries["without"]))
        median, cpu, memory = (
            statistics.median(each[unit] for each in found) for unit in ("seconds", "cpu", "megabytes")
        )
        cpu_times = cpu / statistics.median(each["cpu"] for each in tries["without"])
        limit = LIMITS.get(name)
        late += [name] if limit and best / plain > limit else []
        wall = f"{name:<16}{best:>9.2f}{best / plain:>7.2f}{limit or '':>7}"
        print(f"{wall}{median:>9.2f}{cpu:>9.2f}{cpu_times:>7.2f}{memory:>7.0f}")
    return late


if __name__ == "__main__":
    main()
