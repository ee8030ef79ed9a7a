#!/usr/bin/env bash
# DuckDB 2.0.1, lower: the Turkish capital İ (U+0130) becomes a plain i, where Unicode and Python make it i followed by
# a combining dot. A link on lower(email) so takes two mailboxes for one. In patterns, (?i)k and (?i)s also match the
# Kelvin sign and the long s, which lower maps differently: the Kelvin sign becomes k, the long s stays.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
seen=$("$folder/venv/bin/python" - <<'PY'
import duckdb

with duckdb.connect() as connection:
    print(connection.execute("select version()").fetchone()[0])
    for letter in ("\u0130", "\u212a", "\u017f"):
        lowered = connection.execute("select lower(?)", [letter]).fetchone()[0]
        print(f"U+{ord(letter):04X}", ascii(lowered), "in Python", ascii(letter.lower()))
    matches = "select regexp_full_match('\u212a', '(?i)k'), regexp_full_match('\u017f', '(?i)s')"
    print("pattern", connection.execute(matches).fetchone())
    print("one person", connection.execute("select lower('\u0130@x.example') = lower('i@x.example')").fetchone()[0])
PY
)
echo "$seen"
[ "$seen" = "v2.0.1
U+0130 'i' in Python 'i\\u0307'
U+212A 'k' in Python 'k'
U+017F '\\u017f' in Python '\\u017f'
pattern (True, True)
one person True" ]
