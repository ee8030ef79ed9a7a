"""Measures the start-up of the command: a run with nothing new, `check`, and loading 100 connections.

The figures are CPU seconds of whole processes; builds alternate. With `--dlt`, a dlt pipeline with nothing new on the
same server is measured as well, in an environment created for it.

`python -m cdp_sync_tests.benchmarks.start_bench --repeat 9 --against ../other-checkout --dlt`
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cdp_sync_tests.benchmarks.bench import Life
from cdp_sync_tests.benchmarks.project import REPOSITORY, environment, write_component, write_project
from cdp_sync_tests.openssh import OpenSshServer, openssh_server

CONNECTIONS = 100
DLT = ("dlt[duckdb,filesystem,sftp]==1.31.0", "pandas==3.1.1")
CUSTOMERS = "Email,CustomerId,FirstName\nanna@example.org,1,Anna\n"

COMMAND = "from cdp_sync.cli import main; main()"
LOAD = """
from cdp_sync.orchestration.project import load_project
load_project().get_repository_def().load_all_definitions()
"""
IMPORT_DAGSTER = "import dagster"

DLT_PIPELINE = """
import dlt
from dlt.sources.filesystem import filesystem, read_csv

from dlt.sources.credentials import SFTPCredentials

account = SFTPCredentials(sftp_port={port}, sftp_username={user!r}, sftp_key_filename={key!r})
new = dlt.sources.incremental("modification_date")
files = filesystem(bucket_url={url!r}, credentials=account, file_glob="*.csv", incremental=new)
pipeline = dlt.pipeline("customers", pipelines_dir={folder!r}, destination=dlt.destinations.duckdb({warehouse!r}))
pipeline.run((files | read_csv()).with_name("customers"), write_disposition="append")
"""


@dataclass(frozen=True)
class Case:
    """A measured command with its folder."""

    name: str
    arguments: tuple[str, ...]
    folder: Path
    python: str = sys.executable
    """The interpreter. Another one than the default runs no build of the product."""


def resources_of(case: Case, build: Path) -> Life:
    """Run a command once; return the resources of its process."""
    place = environment(case.folder) | {"PYTHONPATH": str(build)}
    began = time.perf_counter()
    process = subprocess.Popen([case.python, *case.arguments], cwd=case.folder, env=place, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{case.name} ended with {process.returncode}")
    return Life(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(cases: Sequence[Case], builds: Sequence[Path], repeat: int) -> Iterator[tuple[str, Path, Life]]:
    """Yield case, build and resources of each run, after one unmeasured run that fills caches."""
    for turn in range(repeat + 1):
        for case in cases:
            for build in builds if turn % 2 else reversed(builds):
                life = resources_of(case, build)
                if turn:
                    yield case.name, build, life


def write_many(folder: Path) -> None:
    """Write a project of 100 connections with one goal each."""
    folder.mkdir()
    for name in ("dagster.yaml", "workspace.yaml", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    write_component(folder, "profiles", "ProfileModel", {"properties": PROPERTIES})
    for number in range(CONNECTIONS):
        goal = {
            "name": "customers",
            "directory": "/inbox",
            "files": "*.csv",
            "link": [{"field": "Email", "property": "email"}],
            "map": [{"field": "FirstName", "property": "first_name"}],
        }
        server = {
            "host": "localhost",
            "port": 22,
            "username": "demo",
            "password_env": "PASSWORD",
            "host_key": "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        }
        attributes = {"name": f"shop_{number}", "server": server, "import_profiles": [goal]}
        write_component(folder, f"shop_{number}", "SftpConnection", attributes)


PROPERTIES = [{"name": "email", "type": "email", "identifier": True}, {"name": "first_name", "type": "text"}]


@contextmanager
def prepared_cases(folder: Path, *, dlt: bool) -> Iterator[list[Case]]:
    """Write the projects and import their files; yield the cases."""
    with openssh_server(folder / "sshd") as server:
        inbox = folder / "inbox"
        inbox.mkdir()
        (inbox / "customers.csv").write_text(CUSTOMERS)
        os.utime(inbox / "customers.csv", (time.time() - 3600,) * 2)
        write_project(folder / "one", server, inbox)
        write_many(folder / "many")
        cases = [
            Case("nothing new", ("-c", COMMAND, "run", "bench"), folder / "one"),
            Case("check", ("-c", COMMAND, "check"), folder / "one"),
            Case("100 connections", ("-W", "ignore", "-c", LOAD), folder / "many"),
            Case("import dagster", ("-c", IMPORT_DAGSTER), folder / "one"),
        ]
        yield [*cases, *([_dlt(folder, server, inbox)] if dlt else [])]


def _dlt(folder: Path, server: OpenSshServer, inbox: Path) -> Case:
    """Create an environment with dlt and import the file once with its pipeline."""
    own = folder / "dlt"
    subprocess.run([sys.executable, "-m", "venv", str(own)], check=True)
    python = str(own / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *DLT], check=True)
    script = own / "customers.py"
    script.write_text(
        DLT_PIPELINE.format(
            url=f"sftp://{server.host}{inbox}",
            port=server.port,  # not in the URL, from which dlt 1.31 does not read it
            user=server.username,
            key=str(server.client_key),
            folder=str(own / "pipelines"),
            warehouse=str(own / "dlt.duckdb"),
        )
    )
    return Case("dlt, nothing new", (str(script),), folder / "one", python)


def table(costs: Sequence[tuple[str, Path, Life]], cases: Sequence[Case], builds: Sequence[Path]) -> Iterator[str]:
    """Yield the lines of the table: medians, and their ratio to the other build."""
    figures: Mapping[str, str] = {"cpu": "CPU s", "wall": "seconds"}
    for case in cases:
        for figure, title in figures.items():
            medians = [
                statistics.median(getattr(life, figure) for name, by, life in costs if (name, by) == (case.name, build))
                for build in builds
            ]
            ratio = f"  {medians[0] / medians[1]:.2f} of {medians[1]:.2f}" if len(medians) > 1 else ""
            yield f"{case.name:18}{title:9}{medians[0]:6.2f}{ratio}"


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--dlt", action="store_true", help="also measure dlt, which is installed for it")
    options = parser.parse_args()
    builds = [REPOSITORY, *([options.against.resolve()] if options.against else [])]
    with tempfile.TemporaryDirectory() as folder, prepared_cases(Path(folder), dlt=options.dlt) as cases:
        costs = list(measure(cases, builds, options.repeat))
    print(*table(costs, cases, builds), sep="\n")


if __name__ == "__main__":
    main()
