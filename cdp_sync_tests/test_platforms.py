"""Adding a platform takes one folder and one entry point; no other file changes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import cdp_sync.components as types
from cdp_sync.model import kind
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync_tests.projects import SPENDERS, Project

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
FOLDER = Path(__file__).parent / "json_platform"

PEOPLE = [
    {"mail": "ann@example.com", "name": "Ann", "spent": "50.00"},
    {"mail": "bob@example.com", "name": "Bob", "spent": "60.5"},
    {"mail": "eve@example.com", "name": "Eve", "spent": "1"},
]
IMPORT = {
    "name": "people",
    "file": "people.json",
    "link": [{"field": "mail", "property": "email"}],
    "map": [{"field": "name", "property": "first_name"}, {"field": "spent", "property": "total"}],
}
EXPORT = {
    "name": "spenders",
    "file": "users.json",
    "segment": "spenders",
    "link": [{"field": "mail", "property": "email"}],
    "map": [{"field": "name", "property": "first_name"}, {"field": "total", "property": "total"}],
    "create_users": True,
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the entry points of a package that registers the platform."""
    site = tmp_path / "site"
    metadata = site / "json_platform-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: json-platform\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        f"[{kind.ENTRY_POINTS}]\njson = cdp_sync_tests.json_platform.kind:KIND\n"
    )
    monkeypatch.syspath_prepend(site)
    kind._installed.cache_clear()
    yield site
    vars(types).pop("JsonConnection", None)
    kind._installed.cache_clear()


@pytest.fixture
def people(project: Project, installed: Path, tmp_path: Path) -> Path:
    """A project with a connection to a folder of JSON files, and that folder."""
    folder = tmp_path / "people"
    folder.mkdir()
    (folder / "people.json").write_text(json.dumps(PEOPLE))
    project.describe(segments=[SPENDERS])
    goals = {"import_profiles": [IMPORT], "export_profiles": [EXPORT]}
    project.declare("crm", {"name": "crm", "folder": str(folder), **goals}, kind="JsonConnection")
    return folder


def test_a_platform_that_is_installed_later_is_described(project: Project, request: pytest.FixtureRequest) -> None:
    """The component types are described once for the known platforms, and anew where another one is installed."""
    earlier = str(project.load().metadata)
    assert "SftpConnection" in earlier
    assert "JsonConnection" not in earlier
    request.getfixturevalue("installed")
    assert "JsonConnection" in str(project.load().metadata)


def change(folder: Path, who: str, **values: object) -> None:
    """Change a user in the file to import."""
    file = folder / "people.json"
    people = json.loads(file.read_text())
    file.write_text(json.dumps([each | values if each["name"] == who else each for each in people]))


def users(folder: Path) -> dict[str, Any]:
    """Return the users of the exported file."""
    return json.loads((folder / "users.json").read_text())


def counters(result: dg.ExecuteInProcessResult, goal: str) -> dict[str, Any]:
    """Return the metadata of a goal's run in the catalog as plain values."""
    from cdp_sync_tests.projects import shown

    return shown(result, "crm", goal)


def test_the_job_imports_and_exports_profiles(project: Project, people: Path) -> None:
    """The job imports and exports profiles, and re-exports only changed ones."""
    with dg.DagsterInstance.ephemeral() as instance:
        first = project.run("crm_sync", instance)
        assert first.success
        assert counters(first, "people")["rows_applied"] == 3
        assert users(people) == {
            "mail:ann@example.com": {"name": "Ann", "total": 50.0},
            "mail:bob@example.com": {"name": "Bob", "total": 60.5},
        }
        change(people, "Bob", name="Robert")
        second = project.run("crm_sync", instance)
        imported, exported = counters(second, "people"), counters(second, "spenders")
    assert (imported["rows_unchanged"], imported["rows_applied"]) == (2, 1)
    assert (exported["profiles_same"], exported["profiles_written"]) == (1, 1)
    assert users(people)["mail:bob@example.com"]["name"] == "Robert"


def test_a_run_with_nothing_new_delivers_nothing(project: Project, people: Path) -> None:
    """A run without changes does not write the file of users again."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert project.run("crm_sync", instance).success
        (people / "users.json").unlink()
        assert project.run("crm_sync", instance).success
    assert not (people / "users.json").exists()


def test_users_that_do_not_exist_are_counted(project: Project, people: Path) -> None:
    """With `create_users` off, users that do not exist are counted, as on any platform."""
    goals = {"import_profiles": [IMPORT], "export_profiles": [EXPORT | {"create_users": False}]}
    project.declare("crm", {"name": "crm", "folder": str(people), **goals}, kind="JsonConnection")
    with dg.DagsterInstance.ephemeral() as instance:
        exported = counters(project.run("crm_sync", instance), "spenders")
    assert (exported["profiles_unmatched"], exported["profiles_written"]) == (2, 0)


def test_the_catalog_shows_it_like_any_other(project: Project, people: Path) -> None:
    """The catalog shows the platform's name and the usual ops of a goal."""
    definitions = project.load()
    dg.Definitions.validate_loadable(definitions)
    asset = definitions.resolve_assets_def(dg.AssetKey(["crm", "people"]))
    assert {node.name for node in asset.node_def.nodes} == {"fetch_profiles", "link_identifiers", "upsert_profiles"}
    spec = definitions.resolve_asset_graph().get(dg.AssetKey(["crm", "spenders"]))
    assert "json" in spec.kinds
    assert "JsonConnection" in dir(types)


def test_a_problem_has_its_place(project: Project, people: Path) -> None:
    """A problem in the platform's model is reported with its place and suggests known keys."""
    project.declare("crm", {"name": "crm", "foldr": str(people)}, kind="JsonConnection")
    with pytest.raises(Exception, match=r"attributes\.foldr: unknown key; did you mean 'folder'"):
        load_declarations()


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["check", "crm"], "people.json: 3 people."),
        (["scan", "crm"], "people.json"),
        (["export", "crm", "--goal", "spenders", "--preview"], "0 "),
        (["run", "crm", "--goal", "people"], "3"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_command_line_finds_the_platform(
    arguments: list[str], needle: str, project: Project, people: Path, installed: Path
) -> None:
    """A separate process finds the platform by its entry point."""
    environment = project.environment
    environment["PYTHONPATH"] = f"{installed}:{environment.get('PYTHONPATH', ROOT)}"
    command = [sys.executable, "-m", "cdp_sync.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert needle in done.stdout
    assert people.is_dir()


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_the_page_shows_the_tested_code(file: Path) -> None:
    """docs/platforms.md shows each file of the tested platform."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    text = file.read_text(encoding="utf-8")
    assert file.stem == "__init__" or text in blocks


VENDORS = re.compile(r"\b(sailthru|bluecore|spotler|sid|smart lists?)\b", re.IGNORECASE)


@pytest.mark.parametrize("package", ["importing", "exporting", "segments", "warehouse", "orchestration"])
def test_the_engines_name_no_vendor(package: str) -> None:
    """The engines name no vendor."""
    files = [file for file in (ROOT / "cdp_sync" / package).rglob("*") if file.suffix in (".py", ".sql")]
    found = {str(file.relative_to(ROOT)) for file in files if VENDORS.search(file.read_text(encoding="utf-8"))}
    assert found == set()


def test_no_kind_of_connection_is_asked_for_by_isinstance() -> None:
    """No code asks by isinstance for the kind of a connection; goals and connections have methods instead."""
    asked = re.compile(r"isinstance\([^()]*\b(\w+(Connection|Goal|Account|Server)|FileRun|UserRun)\b")
    files = [file for file in (ROOT / "cdp_sync").rglob("*.py") if "sandbox" not in file.parts]
    found = {str(file.relative_to(ROOT)) for file in files if asked.search(file.read_text(encoding="utf-8"))}
    assert found == set()
