"""The floor script: the cost of an import that is written by hand for one fixed mapping.

OpenSSH's `sftp` fetches the files and DuckDB does the rest, in one process. The script keeps the same tables as the
product and does the same work: ledger, row delta, linking, merging of rows, history, quarantine, one transaction per
file. It has one mapping, one link and one format, needs addresses that belong to one profile each, and reads
modification times by the minute.

`python -m cdp_sync_tests.benchmarks.floor --host … --directory /inbox --warehouse wh.duckdb` prints the cost.
"""

import argparse
import hashlib
import json
import re
import resource
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from cdp_sync_tests.benchmarks import floor_sql as sql

SFTP = shutil.which("sftp")
LISTED = re.compile(r"-\S+\s+\S+\s+\S+\s+\S+\s+(?P<size>\d+)\s+(?P<time>\w{3}\s+\d+\s+[\d:]+)\s+(?P<path>/.*\.csv)")


@dataclass(frozen=True)
class Listed:
    """A file in the listing of the directory."""

    path: str
    size: int
    modified_at: datetime


@dataclass
class Stopwatch:
    """Measures seconds by phase."""

    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Add the duration of the block to the phase."""
        began = time.perf_counter()
        yield
        self.phases[phase] = round(self.phases.get(phase, 0.0) + time.perf_counter() - began, 3)


def sftp(options: argparse.Namespace, control: Path, *commands: str) -> str:
    """Run commands in one `sftp` session and return their output; sessions share the connection at `control`."""
    call = [str(SFTP), "-q", "-b", "-", "-F", "none", "-P", str(options.port), "-i", str(options.identity)]
    secure = ("IdentitiesOnly=yes", f"UserKnownHostsFile={options.known_hosts}", "Ciphers=aes128-gcm@openssh.com")
    for option in (*secure, "ControlMaster=auto", f"ControlPath={control}", "ControlPersist=1"):
        call += ["-o", option]
    done = subprocess.run(
        [*call, f"{options.user}@{options.host}"],
        input="\n".join(commands),
        env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout


def modified(listed: str) -> datetime:
    """Return the time of an entry of `ls -l`: `Nov 21 18:57` (this year or the last) or `Nov 21 2025`."""
    if ":" not in listed:
        return datetime.strptime(listed, "%b %d %Y").replace(tzinfo=UTC)
    now = datetime.now(UTC)
    found = datetime.strptime(f"{now.year} {listed}", "%Y %b %d %H:%M").replace(tzinfo=UTC)
    return found if found <= now + timedelta(days=1) else found.replace(year=now.year - 1)


def directory(options: argparse.Namespace, control: Path) -> list[Listed]:
    """Return the CSV files of the directory, oldest first."""
    listed = sftp(options, control, f'ls -ln "{options.directory}"')
    files = [Listed(m["path"], int(m["size"]), modified(" ".join(m["time"].split()))) for m in LISTED.finditer(listed)]
    return sorted(files, key=lambda file: (file.modified_at, file.path))


def open_warehouse(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the warehouse and create missing tables."""
    connection = duckdb.connect(path)
    connection.execute("set memory_limit = '1GB'; set timezone = 'UTC'")
    connection.execute(sql.TABLES)
    return connection


def known(connection: duckdb.DuckDBPyConnection, file: Listed) -> tuple[Any, ...]:
    """Return size, time and sha256 of the file's last import, or an empty tuple."""
    return connection.execute(sql.LEDGER, {"path": file.path}).fetchone() or ()


def run_each(connection: duckdb.DuckDBPyConnection, statements: str, values: dict[str, Any]) -> None:
    """Run each statement with the values that it names."""
    for statement in statements.split(";\n"):
        connection.execute(statement, {name: values[name] for name in set(re.findall(r"\$(\w+)", statement))})


def update(connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> None:
    """Update the columns in which at least one profile changed."""
    how_many = connection.execute(sql.HOW_MANY_CHANGED).fetchone() or ()
    changes = [name for name, count in zip(sql.NAMES, how_many, strict=True) if count]
    if changes:
        assignments = sql.each("{0} = coalesce(changed.{0}, profile.{0})", changes)
        run_each(connection, sql.UPDATE.format(changes=assignments), values)


def load(connection: duckdb.DuckDBPyConnection, values: dict[str, Any], clock: Stopwatch, *, again: bool) -> None:
    """Import one fetched file in one transaction."""
    with clock("parse"):
        run_each(connection, sql.INCOMING, values)
    connection.execute("set preserve_insertion_order = false")
    connection.begin()
    with clock("delta"):
        run_each(connection, sql.ARRIVED, values)
        run_each(connection, sql.FRESH if again else sql.FRESH_FIRST, values)
    with clock("link"):
        connection.execute(sql.REPEATED)
        repeated = connection.execute("select count(*) > 0 from repeated").fetchone() == (True,)
        connection.execute(sql.CUSTOMER_FOLDED if repeated else sql.CUSTOMER)
        run_each(connection, f"{sql.MATCHED};\n{sql.CHANGED}", values)
    with clock("apply"):
        update(connection, values)
        run_each(connection, sql.APPLY, values)
    with clock("ledger"):
        run_each(connection, f"{sql.ROWS};\n{sql.QUARANTINE};\n{sql.FILE}", values)
    with clock("commit"):
        connection.commit()


def import_file(warehouse: Path, file: Listed, local: Path, clock: Stopwatch) -> dict[str, Any]:
    """Import the file, or update its time if its bytes are known; return its counters."""
    with clock("digest"), local.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    values = {
        **vars(file), "file": str(local), "sha256": sha256, "run_id": str(uuid.uuid4()), "at": datetime.now(UTC),
    }  # fmt: skip
    with clock("open"):
        connection = open_warehouse(warehouse)
        before = known(connection, file)
    if before and before[2] == sha256:
        run_each(connection, sql.TOUCHED, values)
    else:
        load(connection, values, clock, again=bool(before))
    counted = connection.execute(sql.COUNTERS, {"run_id": values["run_id"]})
    counters = dict(zip((name for name, *_ in counted.description), counted.fetchone() or (), strict=False))
    with clock("commit"):
        connection.close()
    return {"path": file.path, **counters}


def run(options: argparse.Namespace, clock: Stopwatch) -> list[dict[str, Any]]:
    """Import the files that the ledger does not have; return their counters."""
    beside = options.warehouse.parent
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory(dir=beside) as downloads:
        control = Path(own, "line")
        with clock("list"):
            listed = directory(options, control)
        with clock("open"), open_warehouse(options.warehouse) as connection:
            wanted = [file for file in listed if known(connection, file)[:2] != (file.size, file.modified_at)]
        local = {file: Path(downloads, Path(file.path).name) for file in wanted}
        if wanted:
            with clock("fetch"):
                sftp(options, control, *(f'get "{file.path}" "{local[file]}"' for file in wanted))
        return [import_file(options.warehouse, file, local[file], clock) for file in wanted]


def peak_megabytes() -> float:
    """Return the peak memory of this process plus that of its largest child."""
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(sum(peaks) / 1024, 1)


def main() -> None:
    """Run once and print the cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--warehouse", type=Path, required=True)
    for name in ("--host", "--user", "--identity", "--known-hosts", "--directory"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    clock, began = Stopwatch(), time.perf_counter()
    files = run(options, clock)
    seconds = time.perf_counter() - began
    rows = sum(file["rows_read"] for file in files)
    cost = {"seconds": round(seconds, 3), "rows_per_second": round(rows / seconds), "peak_mb": peak_megabytes()}
    print(json.dumps({**cost, "phases": clock.phases, "files": files}))


if __name__ == "__main__":
    main()
