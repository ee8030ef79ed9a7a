#!/usr/bin/env bash
# DuckLake of DuckDB 1.5.5 (extension from PyPI): a column of type UHUGEINT keeps that type in the catalog, and its
# values are written to Parquet as DOUBLE. No error, no warning: integers beyond 2^53 come back as others. Rows that are
# few enough to stay in the catalog come back as they were, so that a small test shows nothing.
# Seen: of 1,000 md5 numbers none is equal to itself after it was written; 5 that stayed in the catalog all are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-ducklake==1.5.5
cd "$folder"
seen=$(HOME="$folder" venv/bin/python - <<'PY'
import duckdb
from duckdb_extensions import import_extension

with duckdb.connect() as connection:
    import_extension("ducklake", con=connection)
    connection.execute("load ducklake; attach 'ducklake:catalog.ducklake' as lake (data_path 'files')")
    print(connection.execute("select version()").fetchone()[0])
    for rows in (5, 1000):
        connection.execute("create or replace table lake.digest (n bigint, of uhugeint)")
        connection.execute(f"insert into lake.digest select n, md5_number(n::text) from range({rows}) t(n)")
        print(connection.execute("select typeof(of) from lake.digest limit 1").fetchone()[0],
              connection.execute("select count(*) from lake.digest where of = md5_number(n::text)").fetchone()[0])
    print(connection.execute("select type from parquet_schema('files/**/*.parquet') where name = 'of'").fetchall())
PY
)
echo "$seen"
[ "$seen" = "v1.5.5
UHUGEINT 5
UHUGEINT 0
[('DOUBLE',)]" ]
