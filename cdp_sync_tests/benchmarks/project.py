"""A project for the product that asks the same of it as the floor script does."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdp_sync_tests.benchmarks.floor_sql import PROPERTIES
from cdp_sync_tests.openssh import OpenSshServer

REPOSITORY = Path(__file__).parents[2]
PROJECT_FILES = ("dagster.yaml", "workspace.yaml", "pyproject.toml")
IDENTIFIERS = ("email", "customer_id")
TYPES = {"bigint": "number", "decimal(18, 4)": "decimal", "timestamptz": "datetime", "varchar[]": "text"}


def write_project(folder: Path, server: OpenSshServer, directory: Path) -> None:
    """Write a project with one connection `bench` and its goal `customers`."""
    folder.mkdir(parents=True)
    for name in PROJECT_FILES:
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, folder)
    _write_component(folder, "profiles", "ProfileModel", {"properties": [_property(*each[:2]) for each in PROPERTIES]})
    _write_component(folder, "bench", "SftpConnection", _connection(server, directory))


def environment(folder: Path) -> Mapping[str, str]:
    """Return the environment in which the product works on the project and nothing else."""
    own = {"CDP_SYNC_DEFS": folder / "defs", "CDP_SYNC_DATA": folder / "data", "PYTHONPATH": REPOSITORY}
    return {**os.environ, **{name: str(path) for name, path in own.items()}}


def _property(name: str, kind: str) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": name, "type": TYPES.get(kind, "text" if kind == "varchar" else kind)}
    if name == "email":
        declared["type"] = "email"
    if name in IDENTIFIERS:
        declared["identifier"] = True
    if kind.endswith("[]"):
        declared["multiple"] = True
    return declared


def _connection(server: OpenSshServer, directory: Path) -> dict[str, Any]:
    reached = {
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "private_key_file": str(server.client_key),
        "host_key": server.fingerprint(),
    }
    goal = {
        "name": "customers",
        "directory": str(directory),
        "files": "*.csv",
        "format": {"multi_value": ";"},
        "link": [{"field": "Email", "property": "email"}],
        "map": [{"field": cell, "property": name} for name, _, cell, _ in PROPERTIES if name != "email"],
    }
    return {"name": "bench", "server": reached, "import_profiles": [goal]}


def _write_component(folder: Path, name: str, kind: str, attributes: dict[str, Any]) -> None:
    file = folder / "defs" / name / "defs.yaml"
    file.parent.mkdir(parents=True)
    # JSON is YAML.
    file.write_text(json.dumps({"type": f"cdp_sync.components.{kind}", "attributes": attributes}, indent=2))
