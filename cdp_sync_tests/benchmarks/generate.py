"""Generates benchmark files: N customers with thirteen columns, and the same file with some rows changed.

`python -m cdp_sync_tests.benchmarks.generate --rows 1000000 --out first.csv --changed 0.1 --changed-out second.csv`
"""

import argparse
from pathlib import Path

import duckdb

CUSTOMERS = """
copy (
    with random as (
        select
            i,
            md5_number_lower($seed || ' ' || i) as r,
            md5_number_upper($seed || ' ' || i) as s,
            (i + 1) * $changed // 1000000 > i * $changed // 1000000 as changed
        from range($rows) t(i)
    )
    select
        'user' || i || '@example.com' as Email,
        'C' || (1000000 + i) as CustomerId,
        'First' || r % 5000 as FirstName,
        if(changed, 'Renamed', 'Last') || (r >> 13) % 20000 as LastName,
        (r >> 28) % 200 as Orders,
        cast((r >> 32) % 1000000 / 100 + if(changed, 1, 0) as decimal(18, 2)) as Total,
        strftime(date '1950-01-01' + cast(s % 20000 as integer), '%Y-%m-%d') as Birthday,
        strftime(timestamp '2025-01-01' + to_seconds(cast((s >> 15) % 20000000 as bigint)), '%Y-%m-%d %H:%M:%S')
            as LastSeen,
        if((r >> 52) % 2 = 0, 'true', 'false') as Newsletter,
        'a' || (r >> 53) % 10 || ';b' || (r >> 57) % 10 as Interests,
        'City ' || (s >> 40) % 3000 as City,
        'NL' as Country,
        lpad(cast((s >> 52) % 4096 as varchar), 5, '0') as Zip
    from random
)
to '{target}' (header)
"""


def write_customers(target: Path, *, rows: int, changed: float = 0.0, seed: int = 1) -> Path:
    """Write one file. In the share `changed` of its rows, Total and LastName differ from a file with `changed=0`."""
    statement = CUSTOMERS.format(target=str(target).replace("'", "''"))
    with duckdb.connect() as connection:
        connection.execute(statement, {"rows": rows, "changed": round(changed * 1_000_000), "seed": str(seed)})
    return target


def main() -> None:
    """Write the file and, if it is named, the changed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--changed", type=float, default=0.1, help="share of the rows that differ")
    parser.add_argument("--changed-out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write_customers(options.out, rows=options.rows, seed=options.seed)
    if options.changed_out:
        write_customers(options.changed_out, rows=options.rows, changed=options.changed, seed=options.seed)


if __name__ == "__main__":
    main()
