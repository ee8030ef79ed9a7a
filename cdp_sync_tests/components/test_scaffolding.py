"""`dg scaffold defs` writes declarations that load."""

from pathlib import Path

import dagster as dg

from cdp_sync.components import Lifecycle, ProfileModel, SailthruConnection, SftpConnection
from cdp_sync.connectors.sailthru.goals import SailthruConnection as Declared
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync_tests.projects import PROPERTIES, Project


def scaffold(component: type, target: Path) -> None:
    """Scaffold as `dg scaffold defs` does with the component's scaffolder."""
    from dagster.components.scaffold.scaffold import get_scaffolder

    scaffolder = get_scaffolder(component)
    assert isinstance(scaffolder, dg.Scaffolder)
    target.mkdir(parents=True, exist_ok=True)
    name = f"cdp_sync.components.{component.__name__}"
    scaffolder.scaffold(dg.ScaffoldRequest(name, target, "yaml", target.parents[1], None))


def test_a_scaffolded_project_loads(project: Project) -> None:
    """A scaffolded profile model and a scaffolded connection load together."""
    (project.defs / "profiles" / "defs.yaml").unlink()
    scaffold(ProfileModel, project.defs / "profiles")
    scaffold(SftpConnection, project.defs / "newshop")
    found = load_declarations()
    (connection,) = found.connections
    assert (connection.name, connection.enabled) == ("newshop", False)
    assert connection.server.password_env == "NEWSHOP_SFTP_PASSWORD"
    assert [goal.name for goal in connection.import_profiles] == ["customers"]
    assert [prop.name for prop in found.profiles.identifiers] == ["email"]


def test_a_scaffolded_lifecycle_loads(project: Project) -> None:
    """A scaffolded lifecycle fits a scaffolded profile model; it is off and named after its folder."""
    (project.defs / "profiles" / "defs.yaml").unlink()
    scaffold(ProfileModel, project.defs / "profiles")
    scaffold(Lifecycle, project.defs / "way")
    (lifecycle,) = load_declarations().profiles.lifecycles
    assert (lifecycle.name, lifecycle.enabled, lifecycle.stage_names) == ("way", False, ("fresh", "buyer"))


def test_a_scaffolded_sailthru_connection_loads(project: Project) -> None:
    """A scaffolded Sailthru connection loads with a profile model for it; it is off and names its own variables."""
    project.describe(properties=[*PROPERTIES, {"name": "sailthru_profile_id", "identifier": True}])
    scaffold(SailthruConnection, project.defs / "crm")
    (connection,) = load_declarations().connections
    assert isinstance(connection, Declared)
    assert (connection.name, connection.enabled) == ("crm", False)
    assert (connection.api_key_env, connection.api_secret_env) == ("CRM_API_KEY", "CRM_API_SECRET")
    assert connection.base_url == "https://api.sailthru.com"
    assert [goal.lists for goal in connection.import_profiles] == [("Newsletter",)]


def test_a_scaffolded_connection_is_part_of_the_loaded_project(project: Project) -> None:
    """A scaffolded connection has an asset and a job."""
    scaffold(SftpConnection, project.defs / "newshop")
    definitions = project.load()
    dg.Definitions.validate_loadable(definitions)
    assert definitions.resolve_job_def("newshop_sync").name == "newshop_sync"
    assert dg.AssetKey(["newshop", "customers"]) in definitions.resolve_asset_graph().get_all_asset_keys()
