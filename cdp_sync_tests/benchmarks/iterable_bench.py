"""Imports 200,000 users of Iterable and exports 100,000 profiles, beside a bare requests script; measures memory.

Iterable is the sandbox, in a process of its own and without limits of its own; product and script both keep to the
documented limits of one look at an export and five bulk updates a second. The script moves the same bytes and does
nothing with them. The export is repeated with the hundredth part of the profiles changed; its ratio is to the export of
all of them.

`python -m cdp_sync_tests.benchmarks.iterable_bench --rows 200000 --repeat 3`; `--only import` for a part.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cdp_sync_tests.benchmarks.bench import median_of, run
from cdp_sync_tests.benchmarks.export_bench import CHANGE, fill_people
from cdp_sync_tests.benchmarks.iterable_scene import (
    LIST,
    iterable,
    write_export_project,
    write_import_project,
    write_seed,
)
from cdp_sync_tests.benchmarks.platform_bench import Bench, table
from cdp_sync_tests.benchmarks.sailthru_scene import FIELDS, in_duckdb

_LINES = """
copy (
    select json_object('email', email, 'dataFields', json_object({fields}))::varchar
    from profile
    order by created_at
) to '{file}' (format csv, header false, quote '', escape '', delimiter '')"""
_AS_SENT = {"birthday": "strftime(birthday, '%Y-%m-%d')"}

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


def compare_exports(bench: Bench, rows: int) -> None:
    """Export profiles to an Iterable without users, then the hundredth part of them that changed."""
    case, lines = f"export of {rows:,}", _lines(bench, rows)

    def product() -> None:
        with iterable() as url:
            place = _people(bench, url, rows)
            bench.product(case, place)
            in_duckdb(place / "data" / "warehouse.duckdb", CHANGE)
            bench.product("1 % changed", place)
            bench.costs.insert(0, bench.costs.pop())  # the last two are compared

    def floor() -> None:
        with iterable() as url:
            bench.floor(case, url=url, work="export", lines=lines, list=LIST)

    bench.both(case, product, floor, "profiles_written")
    changed, everybody = (median_of(bench.costs, "product", each, "seconds") for each in ("1 % changed", case))
    print(f"1 % changed took {changed / everybody:.3f} of the export of all profiles")


def _people(bench: Bench, url: str, rows: int) -> Path:
    """Make a project that exports so many profiles; return its folder."""
    place = bench.place()
    write_export_project(place, url)
    run([bench.command, "segment", "everybody", "--json"], place)
    fill_people(place / "data" / "warehouse.duckdb", rows)
    return place


def _lines(bench: Bench, rows: int) -> Path:
    """Write the users that the product sends."""
    file, warehouse = bench.folder / f"users{rows}.jsonl", bench.place().with_suffix(".duckdb")
    fill_people(warehouse, rows)
    fields = ", ".join(f"'{name}', {_AS_SENT.get(name, name)}" for name in FIELDS)
    in_duckdb(warehouse, _LINES.format(fields=fields, file=file))
    return file


def compare_memory(bench: Bench, sizes: list[int]) -> None:
    """Import so many users, each size once, and export half as many."""
    for rows in sizes:
        seed = write_seed(bench.folder / f"seed{rows}.jsonl", rows)
        with iterable("--users", str(seed)) as url:
            _import(bench, f"memory, import {rows:,}", url)
        with iterable() as url:
            bench.product(f"memory, export {rows // 2:,}", _people(bench, url, rows // 2))


def _import(bench: Bench, case: str, url: str) -> None:
    place = bench.place()
    write_import_project(place, url)
    bench.product(case, place)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="users that are imported; half as many are exported")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[50_000, 200_000, 500_000], help="of the look at memory"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", action="append", choices=("import", "export", "memory"))
    parser.add_argument("--product", default=str(Path(sys.executable).with_name("cdp-sync")), help="the command to run")
    return parser.parse_args()


def main() -> None:
    """Run all parts and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory() as spare:
        bench = Bench(Path(spare), options.product, "iterable_floor", options.repeat)
        parts: dict[str, Callable[[], object]] = {
            "import": lambda: compare_imports(bench, options.rows),
            "export": lambda: compare_exports(bench, options.rows // 2),
            "memory": lambda: compare_memory(bench, options.sizes),
        }
        for name, part in parts.items():
            if name in (options.only or parts):
                part()
    print("\n".join(table(bench)))


if __name__ == "__main__":
    main()
