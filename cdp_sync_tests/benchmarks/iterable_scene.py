"""An Iterable in a process of its own, and projects that exchange users with it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdp_sync_tests.benchmarks.project import PROJECT_FILES, REPOSITORY, profile_model, write_component
from cdp_sync_tests.benchmarks.sailthru_scene import FIELDS, in_duckdb

KEY = "bench-key"  # of a server that lives for one measurement
os.environ["BENCH_KEY"] = KEY  # of every process that is started here

LIST = "Audience"

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
        }} as "dataFields"
    from range({users}) people(i)
) to '{file}' (format json)"""


@contextmanager
def iterable(*options: str) -> Iterator[str]:
    """Start it, and yield its address."""
    own = ["--api-key-env", "BENCH_KEY", "--until-stdin-closes"]
    call = [sys.executable, "-m", "cdp_sync.sandbox.iterable", *own, *options]
    with subprocess.Popen(call, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:
            yield json.loads(process.stdout.readline())["url"]


def write_seed(file: Path, users: int) -> Path:
    """Write users for a sandbox to begin with."""
    in_duckdb(None, _SEED.format(users=users, file=file))
    return file


def write_import_project(folder: Path, url: str) -> None:
    """Write a project with one connection `bench` and a goal that reads all users, linked by e-mail."""
    goal = {
        "name": "users",
        "from": "all",
        "link": [{"field": "email", "property": "email"}],
        "map": [{"field": name, "property": name} for name in FIELDS],
    }
    _write_project(folder, url, import_profiles=[goal])


def write_export_project(folder: Path, url: str) -> None:
    """Write a project with one connection `bench` and a goal that exports everybody, to users and one list."""
    goal = {
        "name": "audience",
        "segment": "everybody",
        "link": [{"field": "email", "property": "email"}],
        "map": [{"field": name, "property": name} for name in FIELDS],
        "create_users": True,
        "lists": [LIST],
    }
    _write_project(folder, url, export_profiles=[goal])


def _write_project(folder: Path, url: str, **goals: Any) -> None:
    folder.mkdir(parents=True)
    for name in PROJECT_FILES:
        shutil.copy(REPOSITORY / name, folder)
    write_component(folder, "profiles", "ProfileModel", profile_model())
    attributes = {"name": "bench", "api_key_env": "BENCH_KEY", "base_url": url, **goals}
    write_component(folder, "bench", "IterableConnection", attributes)
