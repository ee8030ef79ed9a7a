"""An import of an Excel workbook beside the library alone, which makes Python values of the same sheet.

An equal CSV file is imported too: the difference is what the workbook costs. An import is shown with its steps: reading
to staged rows, linking, and writing new profiles. Each try is a process of its own, with the garbage collector on.

`python -m cdp_sync_tests.benchmarks.workbook_bench --rows 200000 --repeat 3`
"""

import argparse
import csv
import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import xlsxwriter
from python_calamine import CalamineWorkbook

from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import link_identifiers, parse_files, upsert_profiles
from cdp_sync.model import FetchedFile, FileGoal, Profiles, RemoteFile
from cdp_sync.warehouse import Warehouse

PROPERTIES = (
    {"name": "email", "type": "email", "identifier": True},
    {"name": "first_name"},
    {"name": "last_name"},
    {"name": "customer_id"},
    {"name": "order_total", "type": "decimal"},
    {"name": "birthday", "type": "date"},
    {"name": "city"},
    {"name": "active", "type": "boolean"},
)
NAMES = [str(each["name"]) for each in PROPERTIES]
LIBRARY, WORKBOOK, TEXT = "the library alone", "import of the workbook", "import of an equal CSV file"


def people(rows: int) -> Iterator[tuple[str, str, str, str, float, date, str, bool]]:
    """Yield people with text, numbers, dates and truth values."""
    random, first = Random(20240501), date(1950, 1, 1)
    for n in range(1, rows + 1):
        total, born = round(random.random() * 1000, 2), first + timedelta(days=n % 20_000)
        names = f"p{n}@example.com", f"First{n % 1000}", f"Last{n % 5000}", f"{n:08}"
        yield *names, total, born, f"City {n % 300}", n % 2 == 0


def write(workbook: Path, text: Path, rows: int) -> None:
    """Write the same people as a workbook and as CSV."""
    book = xlsxwriter.Workbook(str(workbook), {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, NAMES)
    with text.open("w", newline="") as file:
        delimited = csv.writer(file)
        delimited.writerow(NAMES)
        for n, person in enumerate(people(rows), 1):
            sheet.write_row(n, 0, person)
            delimited.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in person])
    book.close()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(path: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """Return what each step of an import of a file costs."""
    goal = FileGoal(
        name="people",
        format={"type": "xlsx", "max_megabytes": 1000} if path.suffix == ".xlsx" else {},
        link=[{"field": "email", "property": "email"}],
        map=[{"field": name, "property": name} for name in NAMES[1:]],
    )
    profiles, warehouse = Profiles(properties=PROPERTIES), Warehouse(folder / "warehouse.duckdb")
    run = ImportRun("run", "bench", goal, profiles, warehouse, folder / "staging.duckdb", folder / "files")
    file = FetchedFile(RemoteFile(datetime.now(UTC), f"/{path.name}", path.stat().st_size), path, "sha256")
    return {
        "reading to staged rows": timed(lambda: parse_files(run, [file], {})),
        "linking": timed(lambda: link_identifiers(run)),
        "writing new profiles": timed(lambda: upsert_profiles(run)),
    }


def read_alone(path: Path) -> dict[str, tuple[float, float]]:
    """Return what the library costs."""
    return {"in all": timed(lambda: CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python())}


def once(case: str, workbook: Path, text: Path) -> None:
    """Measure one case, and print the figures of its steps and the peak memory in MiB."""
    gc.collect()
    gc.freeze()  # as a run does once its project is loaded
    if case == LIBRARY:
        steps = read_alone(workbook)
    else:
        with tempfile.TemporaryDirectory() as folder:
            steps = measure(workbook if case == WORKBOOK else text, Path(folder))
        steps["in all"] = (sum(wall for wall, _ in steps.values()), sum(cpu for _, cpu in steps.values()))
    print(json.dumps([steps, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main() -> None:
    """Measure in turns, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        case, workbook, text = asked.once
        once(case, Path(workbook), Path(text))
        return
    tries: dict[str, list[tuple[dict[str, tuple[float, float]], float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = workbook, text = Path(folder, "people.xlsx"), Path(folder, "people.csv")
        write(workbook, text, asked.rows)
        for _ in range(asked.repeat):
            for case in (LIBRARY, WORKBOOK, TEXT):
                command = [sys.executable, "-m", __spec__.name, "--once", case, *map(str, files)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                tries.setdefault(case, []).append(json.loads(done.stdout))
    print(f"{asked.rows:,} rows")
    show(tries)


def show(tries: dict[str, list[tuple[dict[str, tuple[float, float]], float]]]) -> None:
    """Print the medians of each case, and their ratio to the CPU seconds of the library."""
    library = statistics.median(steps["in all"][1] for steps, _ in tries[LIBRARY])
    for case, found in tries.items():
        print(f"{case:<32} peak memory {statistics.median(peak for _, peak in found):,.0f} MiB")
        for step in found[0][0]:
            wall, cpu = (statistics.median(steps[step][place] for steps, _ in found) for place in (0, 1))
            print(f"    {step:24} {wall:7.2f} s {cpu:7.2f} s CPU {cpu / library:5.2f} x")


if __name__ == "__main__":
    main()
