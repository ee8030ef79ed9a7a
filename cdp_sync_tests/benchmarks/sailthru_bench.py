"""Imports a list of 200,000 users and exports 100,000 profiles, each beside a bare requests script.

Sailthru is the sandbox, in a process of its own; the script moves the same bytes through the same calls and does
nothing with them. The time that Sailthru's own jobs took is shown as well. Then: how much of an allowed rate is used
(addresses that are asked for one by one, users that are sent one by one), and memory, over a much larger list.

`python -m cdp_sync_tests.benchmarks.sailthru_bench --rows 200000 --repeat 3`; `--only import` and others for a part.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdp_sync_tests.benchmarks.bench import run
from cdp_sync_tests.benchmarks.export_bench import fill_people
from cdp_sync_tests.benchmarks.platform_bench import Bench, table
from cdp_sync_tests.benchmarks.sailthru_scene import (
    FIELDS,
    LIST,
    calls_per_minute,
    in_duckdb,
    sailthru,
    write_export_project,
    write_import_project,
    write_seed,
)

AUDIENCE = "Audience"
EMAIL = [{"field": "email", "property": "email"}]
LIMITED = {"import": "GET /user", "export": "POST /user"}
"""The kinds of calls that are limited, by direction."""

# The product's own lines, to the byte.
_LINES = """
copy (
    select json_object(
        'id', email, 'key', 'email',
        'vars', json_object({fields}),
        'lists', json_object('{list}', 1)
    )::varchar
    from profile
    order by created_at
) to '{file}' (format csv, header false, quote '', escape '', delimiter '')"""


def compare_imports(bench: Bench, rows: int) -> None:
    """Import a list whose export carries addresses, linked by sid and address."""
    case = f"import of {rows:,}"
    seed = write_seed(bench.folder / "seed.jsonl", rows)
    with sailthru("--users", str(seed), "--clear-emails") as url:

        def product() -> None:
            place = bench.place()
            write_import_project(place, url, link=[{"field": "sid", "property": "sailthru_profile_id"}, *EMAIL])
            bench.product(case, place)

        def floor() -> None:
            bench.floor(case, url=url, work="import", list=LIST, fields=",".join(FIELDS))

        floor()  # the first export fills what the sandbox remembers of times
        bench.costs.pop()
        bench.by_platform[case].pop()
        bench.both(case, product, floor, "rows_read")


def compare_exports(bench: Bench, rows: int) -> None:
    """Export profiles as one file, verified by a list export; to a Sailthru without users."""
    case = f"export of {rows:,}"
    lines = _lines(bench, rows)

    def product() -> None:
        with _audience(bench, rows, lists=[AUDIENCE]) as (place, _):
            bench.product(case, place)

    def floor() -> None:
        with sailthru() as url:
            bench.floor(case, url=url, work="export", list=AUDIENCE, fields=",".join(FIELDS), lines=lines)

    bench.both(case, product, floor, "profiles_written")


def compare_single_calls(bench: Bench, rows: int) -> None:
    """Export profiles one by one, without limits."""
    case = f"one by one, {rows:,}"
    lines = _lines(bench, rows)

    def product() -> None:
        with _audience(bench, rows) as (place, _):
            bench.product(case, place)

    def floor() -> None:
        with sailthru() as url:
            bench.floor(case, url=url, work="each", lines=lines)

    bench.both(case, product, floor, "profiles_written")


def use_of_rate(bench: Bench, limit: int, calls: int) -> Iterator[str]:
    """Yield how much of an allowed rate is used, in minutes that are full of work."""
    seed = write_seed(bench.folder / "few.jsonl", calls)
    with sailthru("--users", str(seed), "--limit", str(limit)) as url:
        place = bench.place()
        write_import_project(place, url, link=EMAIL)
        bench.product("import at the limit", place)
        yield _used("addresses asked for", url, "import", limit)
    with _audience(bench, calls, "--limit", str(limit)) as (place, url):
        bench.product("export at the limit", place)
        yield _used("users sent one by one", url, "export", limit)


def compare_memory(bench: Bench, rows: int) -> None:
    """Import and export so many."""
    seed = write_seed(bench.folder / "large.jsonl", rows)
    with sailthru("--users", str(seed), "--clear-emails") as url:
        place = bench.place()
        write_import_project(place, url, link=[{"field": "sid", "property": "sailthru_profile_id"}, *EMAIL])
        bench.product(f"import of {rows:,}", place)
    with _audience(bench, rows, lists=[AUDIENCE]) as (place, _):
        bench.product(f"export of {rows:,}", place)


@contextmanager
def _audience(bench: Bench, rows: int, *options: str, **goal: Any) -> Iterator[tuple[Path, str]]:
    """Make a project that exports so many profiles to a Sailthru that knows nobody; yield its folder and address."""
    with sailthru(*options) as url:
        place = bench.place()
        write_export_project(place, url, decimals="number", **goal)
        run([bench.command, "segment", "everybody", "--json"], place)
        fill_people(place / "data" / "warehouse.duckdb", rows)
        yield place, url


def _lines(bench: Bench, rows: int) -> Path:
    """Write the users that the product sends."""
    file, warehouse = bench.folder / f"users{rows}.jsonl", bench.place().with_suffix(".duckdb")
    fill_people(warehouse, rows)
    fields = ", ".join(f"'{name}', {_AS_SENT.get(name, name)}" for name in FIELDS)
    in_duckdb(warehouse, _LINES.format(fields=fields, list=AUDIENCE, file=file))
    return file


_AS_SENT = {"birthday": "strftime(birthday, '%Y-%m-%d')", "newsletter": "newsletter::varchar"}


def _used(what: str, url: str, direction: str, limit: int) -> str:
    minutes, beyond = calls_per_minute(url, LIMITED[direction])
    full = [minutes[minute] for minute in sorted(minutes)][1:-1]
    shares = ", ".join(f"{calls / limit:.1%}" for calls in full) or "no full minute"
    most = max(minutes.values())
    return f"{what}: {shares} of {limit:,} calls a minute used in full minutes; {most:,} at most, {beyond} refused"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="users on the list; half as many are exported")
    parser.add_argument("--large", type=int, default=1_000_000, help="users of the look at memory")
    parser.add_argument("--single", type=int, default=10_000, help="profiles that are sent one by one")
    parser.add_argument("--limit", type=int, default=6_000, help="calls a minute that are allowed")
    parser.add_argument("--calls", type=int, default=15_000, help="calls that are made at that rate")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", action="append", choices=("import", "export", "single", "rate", "memory"))
    parser.add_argument("--product", default=str(Path(sys.executable).with_name("cdp-sync")), help="the command to run")
    return parser.parse_args()


def main() -> None:
    """Run all parts and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory() as spare:
        bench = Bench(Path(spare), options.product, "sailthru_floor", options.repeat)
        parts: dict[str, Callable[[], object]] = {
            "import": lambda: compare_imports(bench, options.rows),
            "export": lambda: compare_exports(bench, options.rows // 2),
            "single": lambda: compare_single_calls(bench, options.single),
            "memory": lambda: compare_memory(bench, options.large),
        }
        for name, part in parts.items():
            if name in (options.only or parts):
                part()
        if "rate" in (options.only or ["rate"]):
            print("\n".join(use_of_rate(bench, options.limit, options.calls)), flush=True)
    print("\n".join(table(bench)))


if __name__ == "__main__":
    main()
