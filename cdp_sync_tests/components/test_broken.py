"""An invalid defs.yaml does not affect the others, except in strict mode."""

from pathlib import Path

import dagster as dg
import pytest

from cdp_sync_tests.projects import Project, goal

PROBLEMS = {
    "unknown": "type: cdp_sync.components.SftpConnection\nattributes: {name: broken, titel: x}\n",
    "no yaml": "type: [cdp_sync\n",
    "no type": "type: cdp_sync.components.Nothing\nattributes: {}\n",
    "unfitting": (
        "type: cdp_sync.components.SftpConnection\nattributes:\n  name: broken\n"
        "  server: {host: h, username: u, password_env: P}\n"
        "  import_profiles: [{name: a, link: [{field: A, property: nothing}]}]\n"
    ),
}


def broken(project: Project, problem: str) -> Path:
    """Add a valid and an invalid connection; return the file of the second."""
    project.connect("shop", goal())
    return project.write("broken", PROBLEMS[problem])


@pytest.mark.parametrize("problem", ["unknown", "unfitting", "no yaml", "no type"])
def test_the_others_load_and_the_broken_one_is_shown(problem: str, project: Project) -> None:
    """The valid connection keeps its job; the invalid one is in the catalog with file and reason."""
    broken(project, problem)
    definitions = project.load()
    dg.Definitions.validate_loadable(definitions)
    assert definitions.resolve_job_def("shop_sync").name == "shop_sync"
    spec = definitions.resolve_asset_graph().get(dg.AssetKey(["broken_connections", "broken"]))
    assert spec.group_name == "broken_connections"
    assert spec.description is not None
    assert "broken/defs.yaml" in spec.description


@pytest.mark.parametrize("problem", ["unknown", "unfitting", "no yaml", "no type"])
def test_validation_is_strict(problem: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dg check defs` fails on what a normal load tolerates, and names the file."""
    broken(project, problem)
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    with pytest.raises(Exception, match="broken") as refused:
        dg.Definitions.validate_loadable(project.load())
    message = "".join(f"{error}\n" for error in chain(refused.value))
    assert "broken/defs.yaml" in message


def chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes."""
    return [] if error is None else [error, *chain(error.__cause__)]


def test_an_invalid_profile_model_is_shown_at_each_connection(project: Project) -> None:
    """Without a valid profile model each connection is shown with that reason, and the project loads."""
    project.connect("shop", goal())
    project.write("profiles", "type: cdp_sync.components.ProfileModel\nattributes: {properties: [{nam: email}]}\n")
    definitions = project.load()
    dg.Definitions.validate_loadable(definitions)
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert {dg.AssetKey(["broken_connections", name]) for name in ("profiles", "shop")} <= set(keys)


def test_hidden_folders_are_no_connections(project: Project) -> None:
    """Hidden folders within the declarations are ignored."""
    project.connect("shop", goal())
    for name in (".cache", "__pycache__"):
        project.write(name, "no: yaml: at: all")
    definitions = project.load()
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert {key.path[0] for key in keys} == {"shop"}
