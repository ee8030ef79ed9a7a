"""A project for tests, in its own folder: declarations, data folder and SFTP server."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cdp_sync_tests.lakes import running_lakes

if TYPE_CHECKING:
    import dagster as dg

    from cdp_sync.sandbox.sftp import SftpSandbox
    from cdp_sync.warehouse import Warehouse

PASSWORD = "tulip-zebra-47"  # of a server that runs for one test
PASSWORD_ENV = "SHOP_TEST_PASSWORD"  # the variable's name

PROPERTIES = (
    {"name": "email", "type": "email", "identifier": True},
    {"name": "number", "type": "text", "identifier": True},
    {"name": "first_name", "type": "text"},
    {"name": "total", "type": "decimal"},
)

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run config: events are recorded, not written to the terminal."""

LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)
"""Modification time of delivered files."""

INSTANCE = """
storage: {sqlite: {base_dir: dagster}}
local_artifact_storage:
  {module: dagster._core.storage.root, class: LocalArtifactStorage, config: {base_dir: dagster}}
compute_logs: {module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
concurrency: {pools: {granularity: op, default_limit: 1}}
telemetry: {enabled: false}
"""
"""A dagster.yaml: runs are launched at once without a daemon, and all state stays in the folder."""


@dataclass(frozen=True)
class Project:
    """A project in its own folder, with a server that serves `root`."""

    folder: Path
    sandbox: "SftpSandbox"

    @property
    def defs(self) -> Path:
        """The folder of declarations."""
        return self.folder / "defs"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def root(self) -> Path:
        """The folder that the server serves as `/`."""
        return self.sandbox.root

    @property
    def warehouse(self) -> "Warehouse":
        """The warehouse that runs write to."""
        from cdp_sync.warehouse import Warehouse

        return Warehouse(self.data / "warehouse.duckdb", lock_timeout=20)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables of a process that works on this project."""
        return {**os.environ, **_variables(self.folder)}

    def declare(self, name: str, attributes: Mapping[str, Any], *, kind: str = "SftpConnection") -> Path:
        """Write the declaration of a component and return its file."""
        return self.write(name, yaml.safe_dump({"type": f"cdp_sync.components.{kind}", "attributes": dict(attributes)}))

    def write(self, name: str, text: str) -> Path:
        """Write a defs.yaml unchanged and return it."""
        file = self.defs / name / "defs.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def connect(
        self, name: str, *goals: Mapping[str, Any], server: Mapping[str, Any] | None = None, **attributes: object
    ) -> Path:
        """Declare a connection to the sandbox with these import goals and further attributes."""
        usual = {"name": name, "server": self.server(**server or {}), "import_profiles": list(goals)}
        return self.declare(name, usual | attributes)

    def describe(self, **attributes: object) -> Path:
        """Declare the profile with additional attributes, such as segments."""
        properties = [dict(each) for each in PROPERTIES]
        return self.declare("profiles", {"properties": properties} | attributes, kind="ProfileModel")

    def server(self, **fields: object) -> dict[str, Any]:
        """Return the declaration of the sandbox."""
        usual = {"host": self.sandbox.host, "port": self.sandbox.port, "username": "shop"}
        secrets = {"password_env": PASSWORD_ENV, "host_key": self.sandbox.fingerprint}
        return usual | secrets | fields

    def deliver(self, path: str, text: str | bytes, *, minutes: int = 0) -> Path:
        """Put a file on the server, modified so many minutes after LONG_AGO."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        written = (LONG_AGO + timedelta(minutes=minutes)).timestamp()
        os.utime(file, (written, written))
        return file

    def load(self) -> "dg.Definitions":
        """Load the declarations as Dagster does."""
        from cdp_sync.orchestration.project import load_project

        _forget_declarations()
        return load_project()

    def run(self, job: str, instance: "dg.DagsterInstance", **options: Any) -> "dg.ExecuteInProcessResult":
        """Run a job in this process. A failed run returns a result as well."""
        resolved = self.load().resolve_job_def(job)
        return resolved.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET, **options)


def goal(name: str = "customers", **fields: object) -> dict[str, Any]:
    """Return a goal that imports `/inbox/<name>_*.csv`, linked by e-mail, with `settle_seconds: 0`."""
    usual = {
        "directory": "/inbox",
        "files": f"{name}_*.csv",
        "complete": {"settle_seconds": 0},
        "link": [{"field": "Email", "property": "email"}],
        "map": [{"field": "FirstName", "property": "first_name"}, {"field": "Total", "property": "total"}],
    }
    return {"name": name} | usual | fields


def export(name: str = "spenders", **fields: object) -> dict[str, Any]:
    """Return the declaration of a goal that exports the segment `spenders` to `/outbox/<name>.csv`."""
    usual = {
        "segment": "spenders",
        "directory": "/outbox",
        "file": {"name": f"{name}.csv"},
        "format": {"row_delimiter": "linux"},
        "map": [{"field": "Email", "property": "email"}, {"field": "Total", "property": "total"}],
    }
    return {"name": name} | usual | fields


SPENDERS = {"name": "spenders", "title": "Spent 2 or more", "when": {"property": "total", "at_least": 2}}
"""A segment."""


def shown(result: "dg.ExecuteInProcessResult", connection: str, goal: str) -> dict[str, Any]:
    """Return the metadata of a goal's run in the catalog, as plain values: one materialization or observation."""
    from cdp_sync.orchestration.goals.metadata import values_in

    materialized = [
        event.step_materialization_data.materialization for event in result.get_asset_materialization_events()
    ]
    observed = [event.asset_observation_data.asset_observation for event in result.get_asset_observation_events()]
    (event,) = [event for event in (*materialized, *observed) if event.asset_key.path == [connection, goal]]
    return values_in(event.metadata)


@contextmanager
def open_project(folder: Path) -> Iterator[Project]:
    """Create a project in a folder and run its server inside the block."""
    from cdp_sync.sandbox.sftp import SftpSandbox

    root = folder / "server"
    for made in (root / "inbox", root / "outbox", folder / "defs", folder / "data"):
        made.mkdir(parents=True)
    (folder / "dagster.yaml").write_text(INSTANCE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, SftpSandbox(root, accounts={"shop": PASSWORD}) as sandbox:
        patch.chdir(folder)
        for name, value in _variables(folder).items():
            patch.setenv(name, value)
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.delenv("DAGSTER_IS_DEFS_VALIDATION_CLI", raising=False)
        patch.setattr("alembic.script.ScriptDirectory.from_config", _migrations_of_dagster())
        _forget_declarations()
        project = Project(folder, sandbox)
        project.describe()
        yield project
    _forget_declarations()


@pytest.fixture(name="project")
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with a profile model and no connection yet."""
    with open_project(tmp_path / "project") as opened:
        yield opened


def _variables(folder: Path) -> dict[str, str]:
    paths = {"CDP_SYNC_DEFS": str(folder / "defs"), "CDP_SYNC_DATA": str(folder / "data")}
    if all_lakes := running_lakes():
        paths |= all_lakes.settings(folder / "data" / "warehouse.duckdb")
    return {**paths, PASSWORD_ENV: PASSWORD, "COLUMNS": "200"}


@cache
def _migrations_of_dagster() -> Callable[..., Any]:
    """Return what finds the migrations of Dagster and reads them once; Dagster does so for each database, for 0.1 s."""
    from alembic.script import ScriptDirectory

    return cache(ScriptDirectory.from_config)


def _forget_declarations() -> None:
    """Clear the cached declarations folder of this process."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cdp_sync_declared"]:
        del sys.modules[name]
