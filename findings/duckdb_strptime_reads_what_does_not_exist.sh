#!/usr/bin/env bash
# DuckDB 2.0.1, try_strptime: several directives read what is not there, and one refuses what ISO 8601 writes.
# Seen: %Y takes two digits (the year 80) and three; %a takes any weekday; %G-W%V-%u takes week 53 of a year of 52 and
# answers a day of week 1 of the next; %z takes an offset of 99 hours and refuses Z; %Z takes BST, which Britons write
# in summer, for Bangladesh; %f refuses a seventh digit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pytz
seen=$("$folder/venv/bin/python" - <<'PY'
import duckdb

READ = (
    ("31.01.80", "%d.%m.%Y"),
    ("31.01.202", "%d.%m.%Y"),
    ("Mon 2024-02-29", "%a %Y-%m-%d"),
    ("2025-W53-1", "%G-W%V-%u"),
    ("2024-02-29T12:00+99:00", "%Y-%m-%dT%H:%M%z"),
    ("2024-02-29T12:00Z", "%Y-%m-%dT%H:%M%z"),
    ("2024-07-29 10:00 BST", "%Y-%m-%d %H:%M %Z"),
    ("2024-02-29T12:00:00.1234567", "%Y-%m-%dT%H:%M:%S.%f"),
)
with duckdb.connect() as connection:
    connection.execute("set TimeZone = 'UTC'")
    print(connection.execute("select version()").fetchone()[0])
    for text, pattern in READ:
        print(text, connection.execute("select try_strptime(?, ?)::text", [text, pattern]).fetchone()[0])
PY
)
echo "$seen"
[ "$seen" = "v2.0.1
31.01.80 0080-01-31 00:00:00
31.01.202 0202-01-31 00:00:00
Mon 2024-02-29 2024-02-29 00:00:00
2025-W53-1 2025-12-29 00:00:00
2024-02-29T12:00+99:00 2024-02-25 09:00:00+00
2024-02-29T12:00Z None
2024-07-29 10:00 BST 2024-07-29 04:00:00+00
2024-02-29T12:00:00.1234567 None" ]
