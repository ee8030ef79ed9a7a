"""Projects for the product with the same work as the floor scripts."""

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

TEN_CONDITIONS = (
    {"property": "email", "has_value": True},
    {"property": "first_name", "not_equals": "First7"},
    {"property": "order_count", "at_least": 2},
    {"property": "order_total", "between": [5, 950]},
    {"property": "birthday", "after": "1955-01-01"},
    {"property": "last_seen", "before": "2027-01-01"},
    {"property": "newsletter", "not_equals": True},
    {"property": "interests", "contains_any": ["Music", "sport", "art"]},
    {"property": "interests", "not_contains_all": ["art", "garden"]},
    {"property": "city", "not_contains_any": ["city1", "city2", "city3"]},
)
SEGMENTS = (
    {"name": "everybody", "when": {"property": "order_count", "at_least": 0}},
    {"name": "ten_conditions", "when": {"all": TEN_CONDITIONS}},
)


def write_project(folder: Path, server: OpenSshServer, directory: Path) -> None:
    """Write a project with the connection `bench` and its import goal `customers`."""
    folder.mkdir(parents=True)
    for name in PROJECT_FILES:
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, folder)
    write_component(folder, "profiles", "ProfileModel", {"properties": profile_model()["properties"]})
    goal = {
        "name": "customers",
        "directory": str(directory),
        "files": "*.csv",
        "complete": {"settle_seconds": 0},
        "format": {"multi_value": ";"},
        "link": [{"field": "Email", "property": "email"}],
        "map": [{"field": cell, "property": name} for name, _, cell, _ in PROPERTIES if name != "email"],
    }
    write_component(folder, "bench", "SftpConnection", _connection(server, import_profiles=[goal]))


def profile_model() -> dict[str, Any]:
    """Return the profile model with its segments."""
    return {"properties": [_property(*each[:2]) for each in PROPERTIES], "segments": SEGMENTS}


def write_export_project(folder: Path, server: OpenSshServer, directory: Path) -> None:
    """Write a project with the connection `bench` and its export goal `audience` of ten columns."""
    directory.mkdir(parents=True)
    for name in PROJECT_FILES:
        shutil.copy(REPOSITORY / name, folder)
    write_component(folder, "profiles", "ProfileModel", profile_model())
    goal = {
        "name": "audience",
        "segment": "everybody",
        "directory": str(directory),
        # a new file for each run, as is usual for exports of changes
        "file": {"name": "segment_and_timestamp"},
        "format": {"multi_value": ";", "row_delimiter": "linux"},
        "map": [{"field": name, "property": name} for name, *_ in PROPERTIES[:10]],
    }
    write_component(folder, "bench", "SftpConnection", _connection(server, export_profiles=[goal]))


def environment(folder: Path) -> Mapping[str, str]:
    """Return the environment for running the product on the project."""
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


def _connection(server: OpenSshServer, **goals: list[dict[str, Any]]) -> dict[str, Any]:
    reached = {
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "private_key_file": str(server.client_key),
        "host_key": server.fingerprint(),
    }
    return {"name": "bench", "server": reached, **goals}


def write_component(folder: Path, name: str, kind: str, attributes: dict[str, Any]) -> None:
    """Write one `defs.yaml`."""
    file = folder / "defs" / name / "defs.yaml"
    file.parent.mkdir(parents=True)
    # JSON is valid YAML.
    file.write_text(json.dumps({"type": f"cdp_sync.components.{kind}", "attributes": attributes}, indent=2))
