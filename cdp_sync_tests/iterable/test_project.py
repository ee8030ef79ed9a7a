"""A connection to Iterable in a project: Dagster runs it, the command line checks, scans and runs it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.errors import DeclarationError
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.sandbox.iterable import Clock, IterableSandbox
from cdp_sync_tests.iterable.exchange import KEY, column, iterable, person, users_goal
from cdp_sync_tests.projects import Project, shown

BY_EMAIL = [{"field": "email", "property": "email"}]
GOAL = {"name": "users", "from": {"lists": ["Main"]}, "link": BY_EMAIL, "map": [column("plan", "first_name")]}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[IterableSandbox]:
    """An Iterable with two people on a list, and a third."""
    monkeypatch.setenv("CRM_KEY", KEY)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # limits of this test alone
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with iterable(clock=Clock()) as box:
        box.load([person("ann", "Main", updated=-1e6), person("bob", "Main"), person("cat")])
        yield box


def declare(project: Project, url: str, *goals: Any, **fields: Any) -> None:
    """Declare the profile and the connection."""
    project.describe()
    attributes = {"name": "crm", "api_key_env": "CRM_KEY", "base_url": url, "import_profiles": list(goals)}
    project.declare("crm", attributes | fields, kind="IterableConnection")


def test_dagster_runs_it(project: Project, served: IterableSandbox) -> None:
    """As three ops; counters stand in the catalog."""
    declare(project, served.url, GOAL, GOAL | {"name": "everybody", "from": "all"})
    with dg.DagsterInstance.ephemeral() as instance:
        result = project.run("crm_sync", instance)
        assert result.success
        assert shown(result, "crm", "users")["rows_applied"] == 2
        assert shown(result, "crm", "everybody")["rows_read"] == 3
    with project.warehouse.open("read") as session:
        found = session.rows("select email, first_name from warehouse.profile order by email")
    assert found == [(f"{name}@example.com", name) for name in ("ann", "bob", "cat")]
    asset = project.load().resolve_assets_def(dg.AssetKey(["crm", "users"]))
    assert {node.name for node in asset.node_def.nodes} == {"fetch_profiles", "link_identifiers", "upsert_profiles"}


@pytest.mark.parametrize(
    ("arguments", "needles"),
    [
        (["check", "crm"], ["key: in order", "list 'Main' is there"]),
        (["scan", "crm"], ["Main", "static", "plan", "first_name", "ann"]),
        (["run", "crm"], ["2"]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_the_command_line_knows_it(
    arguments: list[str], needles: list[str], project: Project, served: IterableSandbox
) -> None:
    """What is there is shown, and imported."""
    declare(project, served.url, GOAL)
    command = [sys.executable, "-m", "cdp_sync.cli", *arguments]
    done = subprocess.run(command, env=project.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [needle for needle in needles if needle not in done.stdout] == []
    assert KEY not in done.stdout + done.stderr


def test_a_scan_is_json_as_well(project: Project, served: IterableSandbox) -> None:
    """Lists and fields, each with their columns by name."""
    declare(project, served.url, GOAL)
    command = [sys.executable, "-m", "cdp_sync.cli", "scan", "crm", "--json"]
    done = subprocess.run(command, env=project.environment, capture_output=True, text=True, timeout=120, check=False)
    found = json.loads(done.stdout)
    text = json.dumps(found)
    assert '"kind": "static"' in text
    assert '"type": "string"' in text


def test_a_scan_shows_the_other_goals_where_one_cannot_be_looked_at(project: Project, served: IterableSandbox) -> None:
    """A goal whose catalog is missing is shown with the reason."""
    declare(
        project,
        served.url,
        GOAL,
        import_groups=[{"name": "shops", "type": "store", "catalog": "No-such", "map": [column("city", "city")]}],
    )
    project.describe(group_types=[{"name": "store", "properties": [{"name": "city"}]}])
    command = [sys.executable, "-m", "cdp_sync.cli", "scan", "crm"]
    options: dict[str, Any] = {"env": project.environment, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(command, **options, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "A run would refuse this goal: There is no catalog 'No-such'." in done.stdout
    assert "static" in done.stdout
    groups, users = json.loads(subprocess.run([*command, "--json"], **options, check=False).stdout)["goals"]
    assert groups["problem"] == groups["refused"]
    assert [each["list"] for each in users["lists"]] == ["Main"]


def test_a_scan_shows_users_as_processors_leave_them(project: Project, served: IterableSandbox, tmp_path: Path) -> None:
    """Users that the scan asks for pass the goal's processors; with --local those of a file of JSON do."""
    processors = [{"casing": {"field": "plan", "to": "upper"}}, {"filter": {"field": "email", "drop": "^bob"}}]
    declare(project, served.url, GOAL | {"processors": processors})
    local = tmp_path / "users.json"
    local.write_text('{"email": "cat@example.com", "plan": "cat"}\n{"email": "bob@example.com"}\n')
    for arguments, name in (([], "ANN"), (["--local", str(local)], "CAT")):
        command = [sys.executable, "-m", "cdp_sync.cli", "scan", "crm", "--json", *arguments]
        done = subprocess.run(command, env=project.environment, capture_output=True, text=True, timeout=120, check=True)
        (goal,) = json.loads(done.stdout)["goals"]
        (shown,) = goal["previews"]
        assert [each["after"] for each in shown["processing"]] == ["", "1 casing", "2 filter"]
        last = shown["processing"][-1]
        assert last["kept"] == [True, False]
        assert last["rows"][0][last["fields"].index("plan")] == name


@pytest.mark.parametrize(
    ("fields", "goal", "problem"),
    [
        ({"data_center": "asia"}, {}, "data_center"),
        ({"project_type": "phone"}, {}, "project_type"),
        ({"base_url": "http://api.example.com"}, {}, "base_url"),
        ({"api_key": "secret"}, {}, "api_key"),
        ({}, {"from": "some"}, "from"),
        ({}, {"from": {"lists": []}}, "from"),
        ({}, {"from": {"lists": [0]}}, "from"),
        ({}, {"changes": "few"}, "changes"),
        ({}, {"list_name_property": "nothing"}, "list_name_property"),
        ({}, {"from": "all", "list_name_property": "first_name"}, "list_name_property"),
        ({}, {"list_name_property": "total"}, "list_name_property"),
        ({}, {"overlap_minutes": -1}, "overlap_minutes"),
    ],
)
def test_what_cannot_be_is_refused(fields: Any, goal: Any, problem: str, project: Project) -> None:
    """With the path of what is wrong."""
    declare(project, "http://127.0.0.1:1", GOAL | goal, **fields)
    with pytest.raises(DeclarationError, match=problem):
        load_declarations()


def test_goals_have_defaults() -> None:
    """All users, those that changed."""
    goal = users_goal()
    assert (goal.users, goal.changes, goal.overlap_minutes, goal.settle_minutes) == ("all", "changed", 5, 5)
    assert goal.origin == "all users"
    assert users_goal(**{"from": {"lists": ["A", 7, "A"]}}).origin == "lists: A, 7"
