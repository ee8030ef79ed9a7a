"""Imports orders and their lines from two files, beside a script that is written by hand for them.

Both keep the same tables: people, events with their items, and the digests of rows that tell what is new when a file
comes again. A run is a separate process, without Dagster and without a server. First both files are imported, then the
orders again with a share of them changed. The script may use 6 GB: it makes all lists of items at once. It runs twice:
by hand it has both files before it begins; in turn it imports the lines after the orders, as files arrive and as the
product does, so that each order is written twice.

`python -m cdp_sync_tests.benchmarks.events_bench --events 5000000 --repeat 2`
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

WHO = ("product", "by hand", "in turn")
CASES = ("first", "again")
VALUES = ("total", "shipping", "tax", "quantity", "coupon", "affiliation", "city", "campaign", "channel")
TYPES = {"total": "decimal", "shipping": "decimal", "tax": "decimal", "quantity": "number"}
ITEM = {"sku": "text", "name": "text", "price": "decimal", "quantity": "number"}
SQL_TYPES = {"decimal": "decimal(18, 4)", "number": "bigint", "text": "varchar"}

ORDERS = """
copy (
    select
        'O' || lpad(i::varchar, 9, '0') as order_id, 'person' || hash(i) % {people} || '@example.com' as email,
        strftime(timestamp '2023-01-01' + interval (i * 13) second, '%Y-%m-%d %H:%M:%S') as placed,
        (i * 7919 % 100000 / 100)::decimal(12, 2) + case when {changed} then 1 else 0 end as total,
        (i * 31 % 5000 / 100)::decimal(12, 2) as shipping, (i * 17 % 900 / 100)::decimal(12, 2) as tax,
        i * 3 % 9 + 1 as quantity, case when i % 4 = 0 then 'SAVE' || i % 50 end as coupon,
        'Web shop ' || i % 7 as affiliation,
        ['Amsterdam', 'Berlin', 'Paris', 'Kraków', 'Łódź'][(i % 5)::int + 1] as city,
        'C' || i % 200 as campaign, ['web', 'app', 'store'][(i % 3)::int + 1] as channel
    from range({events}) orders(i)
)
to '{file}' (header)"""

LINES = """
copy (
    select
        'L' || lpad(j::varchar, 10, '0') as line_id, 'O' || lpad((j // 3)::varchar, 9, '0') as order_id,
        'sku' || hash(j) % 20000 as sku, 'Product ' || hash(j) % 20000 as name,
        (j * 41 % 20000 / 100)::decimal(12, 2) as price, j % 4 + 1 as quantity
    from range({events} * 3) lines(j)
)
to '{file}' (header)"""

ORDER_FIELDS = ("order_id", "email", "placed", *VALUES)
LINE_FIELDS = ("line_id", "order_id", *ITEM)


def _sql_type(name: str) -> str:
    return SQL_TYPES[TYPES.get(name, "text")]


def _read(file: Path, fields: tuple[str, ...]) -> str:
    """Return the relation of a file's rows, with the digest of each."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in fields)
    cells = ", ".join(f"coalesce({name}, chr(30))" for name in fields)
    return f"""(
        select *, md5_number(concat_ws(chr(31), {cells}))::uuid as row_hash
        from read_csv('{file}', auto_detect = false, header = true, delim = ',', quote = '"', columns = {{{columns}}})
    )"""


BY_HAND = f"""
create table if not exists profile (profile_id uuid, created_at timestamptz, email varchar);
create table if not exists event_order (
    event_id varchar, profile_id uuid, happened_at timestamptz, run_id varchar,
    {", ".join(f"{name} {_sql_type(name)}" for name in VALUES)},
    products struct(id varchar, {", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in ITEM.items())})[]
);
create table if not exists imported_row (path varchar, row_hash uuid)
"""

READ = f"""
create temp table incoming as
select
    nullif(trim(order_id), '') as order_id, lower(trim(email)) as email, try_cast(placed as timestamptz) as placed,
    {", ".join(f"try_cast({name} as {_sql_type(name)}) as {name}" for name in VALUES)}, row_hash
from """

READ_LINES = f"""
create temp table line as
select
    nullif(trim(order_id), '') as order_id, row_hash,
    {{id: trim(line_id), {", ".join(f"{n}: try_cast({n} as {SQL_TYPES[kind]})" for n, kind in ITEM.items())}}} as item
from """

FIRST = f"""
insert into profile select uuidv7(), now(), email from (select distinct email from incoming);
insert into event_order
select order_id, profile_id, placed, 'run1', {", ".join(VALUES)}, products
from incoming
join profile using (email)
left join (select order_id, list(item order by item.id) as products from line group by order_id) using (order_id);
insert into imported_row select 'orders', row_hash from incoming;
insert into imported_row select 'lines', row_hash from line
"""

IN_TURN = f"""
insert into profile select uuidv7(), now(), email from (select distinct email from incoming);
insert into event_order
select order_id, profile_id, placed, 'run1', {", ".join(VALUES)}, null from incoming join profile using (email);
insert into imported_row select 'orders', row_hash from incoming;
commit;
begin;
create temp table listed as
select event_order.* replace (list.products as products), event_order.rowid as place
from event_order
join (
    select order_id as event_id, list(item order by item.id) as products from line group by order_id
) list using (event_id);
delete from event_order where rowid in (select place from listed);
insert into event_order select * exclude (place) from listed;
insert into imported_row select 'lines', row_hash from line
"""

AGAIN = f"""
create temp table fresh as
select * from incoming where row_hash not in (select row_hash from imported_row where path = 'orders');
create temp table changed as
select
    fresh.order_id, profile.profile_id, fresh.placed, 'run2',
    {", ".join(f"fresh.{name}" for name in VALUES)}, products
from fresh
join profile using (email)
left join event_order known on known.event_id = fresh.order_id;
delete from event_order where event_id in (select order_id from changed);
insert into event_order from changed;
delete from imported_row where path = 'orders' and row_hash not in (select row_hash from incoming);
insert into imported_row select 'orders', row_hash from fresh
"""


def run_by_hand(folder: Path, case: str, who: str) -> dict[str, Any]:
    """Import with the script: both files at once, or one after the other."""
    with duckdb.connect(folder / f"{who}.duckdb") as connection:
        connection.execute("set memory_limit = '6GB'; set timezone = 'UTC'")
        connection.execute(BY_HAND)
        connection.execute(READ + _read(folder / ("orders.csv" if case == "first" else "changed.csv"), ORDER_FIELDS))
        if case == "first":
            connection.execute(READ_LINES + _read(folder / "lines.csv", LINE_FIELDS))
        connection.execute("set preserve_insertion_order = false")
        connection.begin()
        connection.execute(AGAIN if case == "again" else FIRST if who == "by hand" else IN_TURN)
        connection.commit()
        return counted(connection, "")


def run_product(folder: Path, case: str) -> dict[str, Any]:
    """Import with the product."""
    from cdp_sync.importing import ImportRun
    from cdp_sync.importing.pipeline import link_identifiers, parse_files, upsert_profiles
    from cdp_sync.model import FetchedFile, FileGoal, Profiles, RemoteFile
    from cdp_sync.warehouse import Warehouse

    items = [{"name": "id", "identifier": True}, *({"name": name, "type": kind} for name, kind in ITEM.items())]
    properties = [{"name": name, "type": TYPES.get(name, "text")} for name in VALUES]
    order = {"name": "order", "properties": [*properties, {"name": "products", "items": items}]}
    profiles = Profiles.model_validate(
        {"properties": [{"name": "email", "type": "email", "identifier": True}], "event_types": [order]}
    )
    by_row = {"id": "line_id", "map": [{"field": name, "property": name} for name in ITEM]}
    declared = {
        "orders": {
            "link": [{"field": "email", "property": "email"}],
            "events": [
                {
                    "type": "order",
                    "id": "order_id",
                    "time": "placed",
                    "map": [{"field": name, "property": name} for name in VALUES],
                }
            ],
        },
        "lines": {"events": [{"type": "order", "id": "order_id", "items": {"products": by_row}}]},
    }
    warehouse = Warehouse(folder / "product.duckdb")
    files = {"orders": "orders.csv", "lines": "lines.csv"} if case == "first" else {"orders": "changed.csv"}
    for name, file in files.items():
        local, goal = folder / file, FileGoal(name=name, directory="/in", **declared[name])
        run = ImportRun(f"{case}_{name}", "bench", goal, profiles, warehouse, folder / f"{case}_{name}.staging")
        remote = RemoteFile(datetime(2026, 1, 1, tzinfo=UTC), f"/in/{name}.csv", local.stat().st_size)
        parse_files(run, [FetchedFile(remote, local, file)])
        link_identifiers(run)
        upsert_profiles(run)
        run.staging.unlink()
    with warehouse.open("read") as session:
        return counted(session, "warehouse.")


def counted(connection: Any, schema: str) -> dict[str, Any]:
    """Return what both must agree on."""
    query = f"""
        select count(*), count(distinct profile_id), sum(len(products)), sum(total)::double,
            sum(list_sum(list_transform(products, lambda item: item.price)))::double
        from {schema}event_order"""
    done = connection.execute(query)
    row = done.fetchone() if hasattr(done, "fetchone") else connection.row(query)
    return dict(zip(("events", "people", "items", "total", "prices"), row, strict=True))


def run_once(who: str, case: str, folder: Path) -> dict[str, Any]:
    """Import in this process; return the cost, and what the warehouse holds."""
    began = time.perf_counter()
    found = run_product(folder, case) if who == "product" else run_by_hand(folder, case, who)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"seconds": time.perf_counter() - began, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
    size = (folder / f"{who}.duckdb").stat().st_size
    return {**cost, "megabytes": size / 1e6, "found": found}


def call(who: str, case: str, folder: Path) -> dict[str, Any]:
    """Run `run_once` in a process of its own."""
    command = [sys.executable, "-m", "cdp_sync_tests.benchmarks.events_bench", "--once", who, case, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def write_files(folder: Path, events: int) -> None:
    """Write the orders, their lines, and the orders of which one in a hundred is changed."""
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '1GB'")
        for file, changed in (("orders.csv", "false"), ("changed.csv", "i % 100 = 0")):
            values = {"people": max(1, events // 5), "events": events, "changed": changed, "file": folder / file}
            connection.execute(ORDERS.format(**values))
        connection.execute(LINES.format(events=events, file=folder / "lines.csv"))


def rounds(folder: Path, events: int, repeat: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the costs of all runs, by who and case; the order alternates."""
    costs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    write_files(folder, events)
    for turn in range(repeat):
        for case in CASES:
            pair = {who: call(who, case, folder) for who in (WHO if turn % 2 else reversed(WHO))}
            if any(cost["found"] != pair["product"]["found"] for cost in pair.values()):
                raise SystemExit(f"{case}: they did not do the same work: {pair}")
            for who, cost in pair.items():
                costs.setdefault((who, case), []).append(cost)
        for who in WHO:
            (folder / f"{who}.duckdb").unlink()
    return costs


def main() -> None:
    """Run all cases and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        who, case, folder = options.once
        print(json.dumps(run_once(who, case, Path(folder))))
        return
    with tempfile.TemporaryDirectory() as spare:
        costs = rounds(Path(spare), options.events, options.repeat)
    print(f"{options.events:,} orders of {options.events // 5:,} people, with 3 lines each: {', '.join(WHO)}")
    for case in CASES:
        for figure in ("seconds", "cpu", "peak", "megabytes"):
            mine, *others = (statistics.median(cost[figure] for cost in costs[who, case]) for who in WHO)
            print(f"{case:8}{figure:11}{mine:9.1f}", *(f"{other:9.1f}{mine / other:7.2f}" for other in others))


if __name__ == "__main__":
    main()
