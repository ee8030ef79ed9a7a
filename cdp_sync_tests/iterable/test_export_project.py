"""Export goals to Iterable in a project: Dagster runs them, the command line checks, previews and runs them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.connectors.iterable.check import check
from cdp_sync.connectors.iterable.goals import IterableConnection
from cdp_sync.errors import DeclarationError
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.sandbox.iterable import Clock, IterableSandbox
from cdp_sync_tests.iterable.exchange import KEY, column, iterable, person
from cdp_sync_tests.iterable.exporting import PROFILES
from cdp_sync_tests.projects import PROPERTIES, SPENDERS, Project, shown

BY_EMAIL = [{"field": "email", "property": "email"}]
IMPORT = {"name": "users", "link": BY_EMAIL, "map": [column("plan", "first_name"), column("spent", "total")]}
EXPORT: dict[str, Any] = {
    "name": "audience",
    "segment": "spenders",
    "link": BY_EMAIL,
    "create_users": True,
    "map": [{"field": "tier", "property": "first_name"}, {"field": "spent", "property": "total"}],
    "lists": ["Spenders"],
    "remove_from_lists": True,
}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[IterableSandbox]:
    """An Iterable with two people who spent, and one who did not."""
    monkeypatch.setenv("CRM_KEY", KEY)
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # limits of this test alone
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with iterable(clock=Clock()) as box:
        box.load(person(name, spent=spent) for name, spent in (("ann", 2.5), ("bob", 30.0), ("cat", 1.0)))
        yield box


def declare(project: Project, url: str, **export: Any) -> None:
    """Declare the profile and the connection: what is imported goes back."""
    project.describe(properties=[dict(each) for each in PROPERTIES], segments=[SPENDERS])
    goals = {"import_profiles": [IMPORT], "export_profiles": [EXPORT | export]}
    attributes = {"name": "crm", "api_key_env": "CRM_KEY", "base_url": url, **goals}
    project.declare("crm", attributes, kind="IterableConnection")


def on(box: IterableSandbox, name: str) -> list[str]:
    """Return the addresses of those who are on a list."""
    (found,) = (each for each in box.project.lists.values() if each.name == name)
    return sorted(str(user.email) for user in found.members.values())


def test_dagster_runs_it(project: Project, served: IterableSandbox) -> None:
    """Import and export in one run; who spends less later leaves the list."""
    declare(project, served.url)
    with dg.DagsterInstance.ephemeral() as instance:
        result = project.run("crm_sync", instance)
        assert result.success
        values = shown(result, "crm", "audience")
        assert (values["profiles_in_segment"], values["profiles_written"]) == (2, 2)
        assert on(served, "Spenders") == ["ann@example.com", "bob@example.com"]
        bob = served.project.find("email", "bob@example.com")
        assert bob
        assert (bob.fields["tier"], bob.fields["spent"]) == ("bob", 30.0)
        with project.warehouse.open("write") as session:
            session.execute("update warehouse.profile set total = 1, updated_at = now() where first_name = 'ann'")
        result = project.run("crm_sync", instance)
        assert "1 taken off lists." in shown(result, "crm", "audience")["summary"]
        assert on(served, "Spenders") == ["bob@example.com"]
    asset = project.load().resolve_assets_def(dg.AssetKey(["crm", "audience"]))
    names = {node.name for node in asset.node_def.nodes}
    assert names == {"select_segment", "write_users", "deliver_users", "record_delivery"}


@pytest.mark.parametrize(
    ("arguments", "needles"),
    [
        (["check", "crm"], ["list 'Spenders' is not there yet", "every mapped field fits"]),
        (["export", "crm", "--goal", "audience", "--preview"], ["audience", "0"]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_the_command_line_knows_it(
    arguments: list[str], needles: list[str], project: Project, served: IterableSandbox
) -> None:
    """What would be written is shown; nothing is."""
    declare(project, served.url)
    command = [sys.executable, "-m", "cdp_sync.cli", *arguments]
    done = subprocess.run(command, env=project.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [needle for needle in needles if needle not in done.stdout] == []
    assert served.calls.count("lists", "POST") == 0


def problems(box: IterableSandbox, **declared: Any) -> list[str]:
    """Return what `check` finds wrong with an export goal over everybody."""
    goal = EXPORT | {"segment": "everybody", "map": [{"field": "plan", "property": "text_one"}]} | declared
    connection = IterableConnection.model_validate(
        {"name": "crm", "api_key_env": "KEY", "base_url": box.url, "export_profiles": [goal]}
    )
    return [sentence for sentence, is_fine in check(connection, PROFILES) if not is_fine]


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({}, None),
        ({"lists": ["Vips"]}, "is dynamic"),
        ({"lists": [7]}, "list 7: There is no list"),
        ({"map": [{"field": "spent", "property": "text_one"}]}, "field 'spent': its type is double"),
        ({"map": [{"field": "spent", "property": "number_list"}]}, None),
        ({"map": [{"field": "plan", "property": "date_one"}]}, None),
        ({"map": [{"field": "plan", "property": "boolean_one"}]}, "boolean needs boolean"),
        ({"map": [{"field": "plan.name", "property": "text_one"}]}, "no object with fields"),
        ({"map": [{"field": "address", "property": "text_one"}]}, "its type is object"),
        ({"map": [{"field": "plann", "property": "text_one"}], "create_fields": False}, "did you mean 'plan'"),
        ({"map": [{"field": f"new{n}", "property": "text_one"} for n in range(1000)]}, "may have about 1,000"),
    ],
)
def test_what_does_not_fit_the_project_is_found_before_a_run(
    declared: Any, problem: str | None, served: IterableSandbox
) -> None:
    """Lists that cannot be written to, fields of another type, unknown fields, too many of them."""
    served.load([{"list": "Vips", "rule": ["plan", "pro"]}, person("dan", address={"city": "X"})])
    found = problems(served, **declared)
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"link": [{"field": "userId", "property": "number"}]}, "known by email"),
        ({"map": [], "lists": [], "remove_from_lists": False}, "nothing is mapped"),
        ({"lists": []}, "remove_from_lists"),
        ({"lists": [0]}, "lists"),
        ({"empty": "maybe"}, "empty"),
        ({"verify": "none"}, "verify"),
        ({"map": [{"field": "emailListIds", "property": "first_name"}]}, "written by Iterable alone"),
        ({"map": [{"field": "itblInternal.x", "property": "first_name"}]}, "written by Iterable alone"),
        ({"map": [{"field": "a..b", "property": "first_name"}]}, "before and after each dot"),
        (
            {"map": [{"field": "a", "property": "first_name"}, {"field": "a.b.c", "property": "total"}]},
            "an object or a value",
        ),
    ],
)
def test_what_cannot_be_is_refused(declared: Any, problem: str, project: Project) -> None:
    """With the path of what is wrong."""
    declare(project, "http://127.0.0.1:1", **declared)
    with pytest.raises(DeclarationError, match=problem):
        load_declarations()


@pytest.mark.parametrize(
    ("removes", "refused"), [((True, False), True), ((False, True), True), ((False, False), False)]
)
def test_a_list_that_users_leave_has_one_goal(removes: tuple[bool, bool], *, refused: bool) -> None:
    """Two goals on one list are refused where one of them would remove the users of the other."""
    goals = [EXPORT | {"name": f"goal{number}", "remove_from_lists": each} for number, each in enumerate(removes)]
    declared = {"name": "crm", "api_key_env": "KEY", "export_profiles": goals}
    if not refused:
        IterableConnection.model_validate(declared)
        return
    with pytest.raises(ValueError, match="goal0 and goal1 both put users on the list 'Spenders'"):
        IterableConnection.model_validate(declared)
