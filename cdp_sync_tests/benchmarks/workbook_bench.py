"""An import of an Excel workbook beside the library alone, which makes Python values of the same sheet.

The import is shown with its steps: reading to staged rows, linking, and writing new profiles.

`python -m cdp_sync_tests.benchmarks.workbook_bench --rows 200000 --repeat 3`
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
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


def write(path: Path, rows: int) -> None:
    """Write a workbook of people with text, numbers, dates and truth values."""
    random, first = Random(20240501), date(1950, 1, 1)
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, NAMES)
    for n in range(1, rows + 1):
        sheet.write_row(n, 0, [f"p{n}@example.com", f"First{n % 1000}", f"Last{n % 5000}", f"{n:08}"])
        sheet.write_number(n, 4, round(random.random() * 1000, 2))
        sheet.write_datetime(n, 5, first + timedelta(days=n % 20_000), day)
        sheet.write_string(n, 6, f"City {n % 300}")
        sheet.write_boolean(n, 7, n % 2 == 0)
    book.close()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of some work; objects are not collected meanwhile, as in a run."""
    gc.collect()
    gc.disable()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    took = time.perf_counter() - wall, time.process_time() - cpu
    gc.enable()
    return took


def measure(path: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """Return what the library costs, and what each step of an import does."""
    goal = FileGoal(
        name="people",
        format={"type": "xlsx", "max_megabytes": 1000},
        link=[{"field": "email", "property": "email"}],
        map=[{"field": name, "property": name} for name in NAMES[1:]],
    )
    profiles, warehouse = Profiles(properties=PROPERTIES), Warehouse(folder / "warehouse.duckdb")
    run = ImportRun("run", "bench", goal, profiles, warehouse, folder / "staging.duckdb", folder / "files")
    file = FetchedFile(RemoteFile(datetime.now(UTC), "/people.xlsx", path.stat().st_size), path, "sha256")
    return {
        "the library alone": timed(lambda: CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()),
        "reading to staged rows": timed(lambda: parse_files(run, [file], {})),
        "linking": timed(lambda: link_identifiers(run)),
        "writing new profiles": timed(lambda: upsert_profiles(run)),
    }


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.xlsx")
        write(path, asked.rows)
        runs = []
        for number in range(asked.repeat):
            own = Path(folder, str(number))
            own.mkdir()
            runs.append(measure(path, own))
    print(f"{asked.rows:,} rows in a workbook")
    _, library = (statistics.median(run["the library alone"][place] for run in runs) for place in (0, 1))
    for name in runs[0]:
        wall, cpu = (statistics.median(run[name][place] for run in runs) for place in (0, 1))
        print(f"{name:24} {wall:7.2f} s {cpu:7.2f} s CPU {cpu / library:5.2f} x")


if __name__ == "__main__":
    main()
