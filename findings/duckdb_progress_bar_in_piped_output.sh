#!/usr/bin/env bash
# DuckDB 2.0.1 (Python) draws its progress bar on standard output although that is a pipe, where the program has no file.
#
# Where `__main__` has no `__file__` (`python -c`, a script on standard input), the package takes the process for an
# interactive one and switches `enable_progress_bar` on. It does not ask whether standard output is a terminal. A statement
# that takes longer than two seconds then writes into the output, so a program that prints JSON prints JSON with a
# bar before it. The same lines in a file print JSON alone.
#
# Seen: setting under `python -c`: True, in a file: False; output of `python -c` begins with a carriage return and a percentage.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
python="$folder/venv/bin/python"

cat > "$folder/setting.py" <<'PY'
import duckdb
print(duckdb.connect().execute("select value from duckdb_settings() where name = 'enable_progress_bar'").fetchone()[0])
PY
cat > "$folder/work.py" <<'PY'
import duckdb
connection = duckdb.connect()
connection.execute("set threads = 1")
connection.execute("create table t as select md5(i::varchar) as a, md5((i + 1)::varchar) as b from range(20000000) n(i) order by a")
print("{}")
PY

in_file=$("$python" "$folder/setting.py" | cat)
in_command=$("$python" -c "$(cat "$folder/setting.py")" | cat)
echo "enable_progress_bar: $in_file in a file, $in_command under python -c; both write to a pipe"
"$python" "$folder/work.py" > "$folder/from_file"
"$python" -c "$(cat "$folder/work.py")" > "$folder/from_command"
echo "output of the file: $(wc -c < "$folder/from_file") bytes; under python -c: $(wc -c < "$folder/from_command") bytes"
[ "$in_file" = false ] && [ "$in_command" = true ] || { echo "changed: the setting"; exit 1; }
[ "$(cat "$folder/from_file")" = "{}" ] || { echo "changed: the file's output"; exit 1; }
grep -q '%' "$folder/from_command" || { echo "changed: no bar under python -c"; exit 1; }
