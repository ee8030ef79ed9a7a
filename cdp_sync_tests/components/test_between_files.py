"""Conflicts between valid files: check and the UI name them, and the other files load."""

import json
from collections.abc import Callable

import pytest
import yaml

from cdp_sync.errors import DeclarationError
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.orchestration.project import load_connection, load_project
from cdp_sync_tests.projects import SPENDERS, Project, goal


def second(project: Project, folder: str, name: str, *goals: str) -> None:
    """Declare a connection in a folder of any name."""
    declared = {"name": name, "server": project.server(), "import_profiles": [goal(each) for each in goals]}
    project.declare(folder, declared)


def model(project: Project) -> None:
    """Declare the profile twice, each time with a segment."""
    project.describe(segments=[SPENDERS])
    text = (project.defs / "profiles" / "defs.yaml").read_text(encoding="utf-8")
    project.write("people", text)


@pytest.mark.parametrize(
    ("prepare", "folder", "needle"),
    [
        (lambda project: second(project, "twice", "shop", "orders"), "twice", "another connection is called 'shop'"),
        (lambda project: second(project, "eu/twice", "shop", "orders"), "eu", "another connection is called 'shop'"),
        (lambda project: second(project, "files", "files", "b", "b__files"), "files", "goal 'b' of files"),
        (lambda project: second(project, "shop__b", "shop__b", "c"), "shop__b", "'shop__b__c' for goal 'b__c' of shop"),
        (model, "people", "a project has one ProfileModel; found another in profiles"),
    ],
    ids=["name", "nested", "files of a goal", "joined names", "profile model"],
)
def test_conflicts_are_named_and_the_others_load(
    prepare: Callable[[Project], None], folder: str, needle: str, project: Project
) -> None:
    """Of two conflicting declarations the later one is refused; the first one runs, alone and in the UI."""
    project.connect("shop", goal(), goal("b__c"))
    prepare(project)
    with pytest.raises(DeclarationError) as refused:
        load_declarations()
    assert needle in str(refused.value)
    assert load_connection("shop").resolve_job_def("shop_sync")
    loaded = load_project()
    assert loaded.resolve_job_def("shop_sync")
    broken = [key.path[1] for key in loaded.resolve_asset_graph().get_all_asset_keys() if key.path[0] == BROKEN]
    assert broken == [folder]


BROKEN = "broken_connections"


def test_a_project_of_any_depth_is_checked(project: Project) -> None:
    """Nested folders are loaded and checked, except for those that begin with an underscore."""
    second(project, "eu/north/shop", "shop", "orders")
    project.write("_drafts/shop", "type: nonsense: ]")
    assert [each.name for each in load_declarations().connections] == ["shop"]
    second(project, "eu/north/shop", "shop", "orders", "orders")
    with pytest.raises(DeclarationError, match="more than one goal is called orders"):
        load_declarations()


def test_a_file_may_have_any_style_of_yaml(project: Project) -> None:
    """A declaration may be JSON, which is YAML; the profile is recognized by its content."""
    project.connect("shop", goal())
    file = project.defs / "profiles" / "defs.yaml"
    file.write_text(json.dumps(yaml.safe_load(file.read_text(encoding="utf-8"))), encoding="utf-8")
    project.write("notes", "type: cdp_sync.components.Maintenance  # no cdp_sync.components.ProfileModel\n")
    assert [each.name for each in load_declarations().connections] == ["shop"]
    assert load_connection("shop").resolve_job_def("shop_sync")


@pytest.mark.parametrize("owner", ["marketing", "team:", "ada@localhost", "ada@example.com, bob@example.com"])
def test_owners_must_be_valid_in_the_catalog(owner: str, project: Project) -> None:
    """An owner that Dagster refuses is refused by check, with its position."""
    project.connect("shop", goal(), owners=["team:marketing", "ada@example.com", owner])
    with pytest.raises(DeclarationError, match=r"shop/defs.yaml:\n.*attributes\.owners"):
        load_declarations()
    with pytest.raises(DeclarationError, match=r"attributes\.owners"):
        load_connection("shop")


def test_an_unset_variable_is_reported_with_its_position(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template with an unset variable is reported with its position in one line, by check and a run."""
    monkeypatch.delenv("NOT_HERE", raising=False)
    project.connect("shop", goal(), server={"port": "{{ env('NOT_HERE') }}", "host": "{{ env( }}"})
    for load in (load_declarations, lambda: load_connection("shop")):
        with pytest.raises(DeclarationError) as refused:
            load()
        message = str(refused.value)
        assert "attributes.server.port: the environment variable NOT_HERE is not set" in message
        assert "attributes.server.host: the template '{{ env( }}' cannot be filled" in message
        assert len(message.splitlines()) == 3


def test_a_component_of_another_package_is_loaded_by_dagster(project: Project) -> None:
    """A component of another package is loaded by Dagster, once, also above other files; its problems name the file."""
    second(project, "eu/shop", "shop", "orders")
    project.write("eu", "type: dagster.DefsFolderComponent\n")
    assert [each.name for each in load_declarations().connections] == ["shop"]
    project.write("other", "type: nowhere.Component\nattributes: {}\n")
    with pytest.raises(DeclarationError, match=r"other/defs.yaml:\n  No module named 'nowhere'"):
        load_declarations()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_named(text: str, project: Project) -> None:
    """An empty file is named, as the UI cannot load it either."""
    project.write("empty", text)
    with pytest.raises(DeclarationError, match=r"empty/defs.yaml:\n  (line 2: )?the file declares nothing"):
        load_declarations()
