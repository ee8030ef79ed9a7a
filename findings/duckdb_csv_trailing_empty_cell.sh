#!/usr/bin/env bash
# DuckDB 2.0.1, read_csv, strict mode: a row with one cell too many is accepted where the last cell is empty. The cell
# is dropped without an error or an entry among the rejects, so an unquoted comma shifts all cells after it.
# Seen: "Smith, John,Paris," under three columns is read as name 'Smith', city ' John', note 'Paris'; the row with a
# value in its fourth cell is rejected, as it has to be.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
cd "$folder"
printf 'name,city,note\nSmith, John,Paris,\nLee, Ann,Rome,x\nKim,Oslo,y\n' > people.csv
seen=$(venv/bin/python - <<'PY'
import duckdb

with duckdb.connect() as connection:
    connection.execute(
        """create table people as from read_csv('people.csv', auto_detect = false, header = true, strict_mode = true,
        store_rejects = true, columns = {'name': 'VARCHAR', 'city': 'VARCHAR', 'note': 'VARCHAR'})"""
    )
    print(connection.execute("select version()").fetchone()[0])
    print(connection.execute("from people").fetchall())
    print(connection.execute("select line, error_type from reject_errors").fetchall())
PY
)
echo "$seen"
[ "$seen" = "v2.0.1
[('Smith', ' John', 'Paris'), ('Kim', 'Oslo', 'y')]
[(3, 'TOO MANY COLUMNS')]" ]
