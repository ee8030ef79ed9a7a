"""Imports 200,000 users of Iterable beside a bare requests script, and measures memory over several sizes.

Iterable is the sandbox, in a process of its own and without limits of its own; product and script both keep to the
documented limit of one look at an export a second. The script moves the same bytes and does nothing with them.

`python -m cdp_sync_tests.benchmarks.iterable_bench --rows 200000 --repeat 3`; `--only import` for a part.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cdp_sync_tests.benchmarks.iterable_scene import iterable, write_import_project, write_seed
from cdp_sync_tests.benchmarks.platform_bench import Bench, table
from cdp_sync_tests.benchmarks.sailthru_scene import FIELDS

_READ = ("email", "profileUpdatedAt", *FIELDS)
"""The fields that the product reads."""


def compare_imports(bench: Bench, rows: int) -> None:
    """Import all users into an empty warehouse."""
    case = f"import of {rows:,}"
    seed = write_seed(bench.folder / "seed.jsonl", rows)
    with iterable("--users", str(seed)) as url:
        bench.both(
            case,
            lambda: _import(bench, case, url),
            lambda: bench.floor(case, url=url, work="import", fields=",".join(_READ)),
            "rows_read",
        )


def compare_memory(bench: Bench, sizes: list[int]) -> None:
    """Import so many users, each size once."""
    for rows in sizes:
        seed = write_seed(bench.folder / f"seed{rows}.jsonl", rows)
        with iterable("--users", str(seed)) as url:
            _import(bench, f"memory, {rows:,}", url)


def _import(bench: Bench, case: str, url: str) -> None:
    place = bench.place()
    write_import_project(place, url)
    bench.product(case, place)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="users that are imported")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[50_000, 200_000, 500_000], help="of the look at memory"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", action="append", choices=("import", "memory"))
    parser.add_argument("--product", default=str(Path(sys.executable).with_name("cdp-sync")), help="the command to run")
    return parser.parse_args()


def main() -> None:
    """Run all parts and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory() as spare:
        bench = Bench(Path(spare), options.product, "iterable_floor", options.repeat)
        parts: dict[str, Callable[[], object]] = {
            "import": lambda: compare_imports(bench, options.rows),
            "memory": lambda: compare_memory(bench, options.sizes),
        }
        for name, part in parts.items():
            if name in (options.only or parts):
                part()
    print("\n".join(table(bench)))


if __name__ == "__main__":
    main()
