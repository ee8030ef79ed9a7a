"""A Sailthru sandbox in a separate process, and projects that exchange users with it."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdp_sync_tests.benchmarks.bench import run
from cdp_sync_tests.benchmarks.project import PROJECT_FILES, REPOSITORY, profile_model, write_component

KEY, SECRET = "bench-key", "bench-secret-57"  # keys of a server that lives for one measurement
TIME_ZONE = "America/New_York"
ENVIRONMENT = {"BENCH_KEY": KEY, "BENCH_SECRET": SECRET}
os.environ.update(ENVIRONMENT)  # the environment of each process that is started here

FIELDS = ("first_name", "last_name", "order_count", "order_total", "birthday", "newsletter", "interests", "city")
"""Custom fields with the names of the properties."""

LIST = "Main"

_SEED = """
copy (
    select
        'person' || i || '@example.com' as email,
        1700000000 + i % 30000000 as created,
        {{
            'first_name': 'First' || i % 5000, 'last_name': 'Last' || i % 70000, 'order_count': i % 50,
            'order_total': (i % 100000) / 100, 'birthday': date '1950-01-01' + (i % 20000)::integer,
            'newsletter': i % 3 = 0, 'interests': [['art', 'books', 'music', 'sport'][i % 4 + 1], 'garden'],
            'city': 'City' || i % 900
        }} as vars,
        ['{list}'] as lists
    from range({users}) people(i)
) to '{file}' (format json)"""


@contextmanager
def sailthru(*options: str) -> Iterator[str]:
    """Start the sandbox and yield its address."""
    module = "cdp_sync.sandbox.sailthru"
    own = ["--api-key", KEY, "--api-secret-env", "BENCH_SECRET", "--time-zone", TIME_ZONE, "--until-stdin-closes"]
    call = [sys.executable, "-m", module, *own, *options]
    with subprocess.Popen(call, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:
            yield json.loads(process.stdout.readline())["url"]


def calls_per_minute(url: str, kind: str) -> tuple[dict[int, int], int]:
    """Return the answered calls of a kind by minute, and the number beyond the limit."""
    with urllib.request.urlopen(f"{url}/_sandbox") as page:
        answer = json.load(page)
    beyond = sum(int(line.rpartition(" ")[2]) for line in answer["calls"] if " 429: " in line)
    return {int(minute): calls for minute, calls in answer["calls_per_minute"].get(kind, {}).items()}, beyond


def write_seed(file: Path, users: int) -> Path:
    """Write the initial users of a sandbox, all on one list."""
    in_duckdb(None, _SEED.format(list=LIST, users=users, file=file))
    return file


def in_duckdb(warehouse: Path | None, sql: str) -> None:
    """Execute SQL in a separate process, as a child inherits its parent's peak memory."""
    statement = f"set enable_progress_bar = false; {sql}"
    code = f"import duckdb; duckdb.connect({str(warehouse or ':memory:')!r}).execute({statement!r}); print('{{}}')"
    run([sys.executable, "-c", code], REPOSITORY)


def write_import_project(folder: Path, url: str, **goal: Any) -> None:
    """Write a project with the connection `bench` and its import goal `members`, linked by sid."""
    defaults = {
        "name": "members",
        "lists": [LIST],
        "link": [{"field": "sid", "property": "sailthru_profile_id"}],
        "map": [{"field": name, "property": name} for name in FIELDS],
    }
    _write_project(folder, url, import_profiles=[defaults | goal])


def write_export_project(folder: Path, url: str, **goal: Any) -> None:
    """Write a project with the connection `bench` and its export goal `audience`, linked by e-mail."""
    defaults = {
        "name": "audience",
        "segment": "everybody",
        "link": [{"field": "email", "property": "email"}],
        "create_users": True,
        "map": [{"field": name, "property": name} for name in FIELDS],
    }
    _write_project(folder, url, export_profiles=[defaults | goal])


def _write_project(folder: Path, url: str, **goals: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    for name in PROJECT_FILES:
        shutil.copy(REPOSITORY / name, folder)
    model = profile_model()
    sid = {"name": "sailthru_profile_id", "type": "text", "identifier": True}
    write_component(folder, "profiles", "ProfileModel", {**model, "properties": [*model["properties"], sid]})
    account = {"api_key_env": "BENCH_KEY", "api_secret_env": "BENCH_SECRET", "base_url": url, "time_zone": TIME_ZONE}
    write_component(folder, "bench", "SailthruConnection", {"name": "bench", **account, **goals})
