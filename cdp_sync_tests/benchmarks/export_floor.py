"""The floor of an export: DuckDB writes the segment with one `copy`, and OpenSSH's `sftp` uploads the file.

It keeps no ledger and has one segment and one format.

`python -m cdp_sync_tests.benchmarks.export_floor --host … --directory /outbox --warehouse wh.duckdb` prints the cost.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import duckdb

from cdp_sync_tests.benchmarks.floor import Stopwatch, peak_megabytes, sftp

COPY = """
copy (
    select
        email, customer_id, first_name, last_name, order_count, order_total, birthday,
        strftime(last_seen at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as last_seen,
        newsletter, array_to_string(interests, ';') as interests
    from profile
    where merged_into is null and email is not null and order_count >= 0
    order by created_at, profile_id
) to '{file}' (format csv, header, delimiter ',')"""


def main() -> None:
    """Run once and print the cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--warehouse", type=Path, required=True)
    for name in ("--host", "--user", "--identity", "--known-hosts", "--directory"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    clock, began = Stopwatch(), time.perf_counter()
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory(dir=options.warehouse.parent) as folder:
        file = Path(folder, "audience.csv")
        with clock("copy"), duckdb.connect(options.warehouse, read_only=True) as connection:
            connection.execute("set memory_limit = '1GB'; set timezone = 'UTC'")
            (rows,) = connection.execute(COPY.format(file=file)).fetchone() or (0,)
        with clock("put"):
            sftp(options, Path(own, "line"), f'put -f "{file}" "{options.directory}/floor.csv"')
    seconds = round(time.perf_counter() - began, 3)
    counters = {"profiles_written": rows}
    print(json.dumps({"seconds": seconds, "peak_mb": peak_megabytes(), "phases": clock.phases, "goals": [counters]}))


if __name__ == "__main__":
    main()
