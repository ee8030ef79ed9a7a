#!/usr/bin/env bash
# DuckDB 2.0.1: a transaction that inserts a million rows into a file writes them there as it goes, and its log refers to
# them in a few kilobytes. Where the same transaction then deletes or updates one of these rows, commit writes all of
# them anew, into the log: 25 MB in place of 4 kB, for rows that take 5 MB in the file. A load that corrects what it
# has just loaded pays for it twice; one that holds those rows back until they are right does not.
# Seen: bytes of the log after an insert alone, with a delete that finds nothing, with one row deleted, one updated.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
cd "$folder"
seen=$(venv/bin/python - <<'PY'
import os

import duckdb

changes = {
    "none": "select 1",
    "delete of nobody": "delete from person where id = -1",
    "delete of one": "delete from person where id = 7",
    "update of one": "update person set name = 'x' where id = 7",
}
for number, (change, statement) in enumerate(changes.items()):
    with duckdb.connect() as connection:
        connection.execute(f"attach 'store{number}.duckdb' as store")
        connection.execute("use store")
        connection.execute("set checkpoint_threshold = '1TB'")  # the log stays to be looked at
        connection.execute("create table person (id bigint, name text)")
        connection.execute("begin")
        connection.execute("insert into person select i, 'person ' || i from range(1000000) numbers(i)")
        connection.execute(statement)
        connection.execute("commit")
        size = os.path.getsize(f"store{number}.duckdb.wal")
        print(f"{change}: {size} bytes, {'all rows' if size > 20_000_000 else 'none' if size < 10_000 else 'some'}")
PY
)
echo "$seen"
[ "$(echo "$seen" | sed 's/[0-9]* bytes, //')" = "none: none
delete of nobody: none
delete of one: all rows
update of one: all rows" ]
