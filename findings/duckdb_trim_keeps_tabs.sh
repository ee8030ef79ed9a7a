#!/usr/bin/env bash
# DuckDB 2.0.1, trim without characters: it strips every space that Unicode has, no-break and thin ones included, but
# no tab and no line break, which Python's strip and SQL clients take for white space as well. The zero-width space
# stays, as it is none to Unicode.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
seen=$("$folder/venv/bin/python" - <<'PY'
import duckdb

with duckdb.connect() as connection:
    print(connection.execute("select version()").fetchone()[0])
    for space in (" ", "\u00a0", "\u2009", "\u3000", "\t", "\n", "\u200b"):
        trimmed = connection.execute("select trim(?)", [f"{space}x{space}"]).fetchone()[0]
        print(f"U+{ord(space):04X}", "stripped" if trimmed == "x" else "kept")
PY
)
echo "$seen"
[ "$seen" = "v2.0.1
U+0020 stripped
U+00A0 stripped
U+2009 stripped
U+3000 stripped
U+0009 kept
U+000A kept
U+200B kept" ]
