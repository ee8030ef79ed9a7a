"""A defs.yaml of a Sailthru connection yields values, or problems with file, position, found and allowed values."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.components import SailthruConnection
from cdp_sync.connectors.sailthru.goals import SailthruConnection as Declared
from cdp_sync.errors import DeclarationError
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.orchestration.project import component_tree
from cdp_sync_tests.projects import SPENDERS, Project
from cdp_sync_tests.sailthru.crm import PROPERTIES, list_goal, user_goal

ACCOUNT = {"name": "crm", "api_key_env": "CRM_KEY", "api_secret_env": "CRM_SECRET"}


@pytest.fixture(name="crm")
def crm(project: Project) -> Project:
    """A project with a profile model for Sailthru."""
    project.describe(properties=[dict(each) for each in PROPERTIES], segments=[SPENDERS])
    return project


def declare(project: Project, **attributes: Any) -> None:
    """Declare the connection."""
    goals = {"import_profiles": [list_goal()], "export_profiles": [user_goal()]}
    project.declare("crm", ACCOUNT | goals | attributes, kind="SailthruConnection")


def loaded() -> Declared:
    """Return the connection as Dagster's component tree loads it."""
    return component_tree().load_component(Path("crm"), expected_type=SailthruConnection).connection


def refusal() -> str:
    """Return the output of `cdp-sync check` about the project."""
    with pytest.raises(DeclarationError) as refused:
        load_declarations()
    return str(refused.value)


def test_a_connection_becomes_its_declared_value(crm: Project) -> None:
    """The value has everything that the YAML declares, and defaults for the rest; text is unchanged."""
    imported = list_goal(lists=["1", "{{ a }}"], list_name_property="on_lists", format={"nulls": ["None"]})
    exported = user_goal(lists=["Spenders"], remove_from_lists=True, decimals="number")
    declare(crm, time_zone="America/New_York", import_profiles=[imported], export_profiles=[exported])
    found = loaded()
    assert (found.name, found.time_zone, found.base_url) == ("crm", "America/New_York", "https://api.sailthru.com")
    (lists,), (users,) = found.import_profiles, found.export_profiles
    assert (lists.lists, lists.list_name_property, lists.format.nulls) == (("1", "{{ a }}"), "on_lists", ("None",))
    assert (users.lists, users.remove_from_lists, users.decimals) == (("Spenders",), True, "number")


def test_its_goals_are_assets_of_one_job(crm: Project) -> None:
    """The goals are assets of one job, as for any other connection."""
    declare(crm)
    definitions = crm.load()
    dg.Definitions.validate_loadable(definitions)
    assert definitions.resolve_job_def("crm_sync").name == "crm_sync"
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert {dg.AssetKey(["crm", "members"]), dg.AssetKey(["crm", "audience"])} <= set(keys)


def test_the_address_may_be_a_template(crm: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address may be a template, with or without a default; its result is validated."""
    declare(crm, base_url="{{ env('CRM_TEST_URL', 'http://127.0.0.1:8025') }}")
    assert loaded().base_url == "http://127.0.0.1:8025"
    monkeypatch.setenv("CRM_TEST_URL", "http://127.0.0.1:8026")
    assert loaded().base_url == "http://127.0.0.1:8026"
    monkeypatch.setenv("CRM_TEST_URL", "http://sailthru.example.com")
    message = refusal()
    assert "http:// is for this machine only, needed is https://" in message
    assert "crm/defs.yaml" in message


COLUMN = {"property": "total"}


@pytest.mark.parametrize(
    ("change", "place", "needle"),
    [
        ({"api_secret": "x"}, "api_secret", "did you mean 'api_secret_env'"),
        ({"base_url": "http://api.example.com"}, "base_url", "http:// is for this machine only, needed is https://"),
        ({"base_url": "https://api.sailthru.com/v1"}, "base_url", "nothing after the host and port"),
        ({"time_zone": "New York"}, "time_zone", "allowed are IANA names"),
        ({"import_profiles": [list_goal(list=["Main"])]}, "import_profiles[0].list", "did you mean 'lists'"),
        ({"import_profiles": [list_goal(lists=[])]}, "import_profiles[0].lists", "needed is at least 1"),
        (
            {"import_profiles": [list_goal(map=[{"field": "a", "property": "firstname"}])]},
            "import_profiles[0].map[0].property",
            "'firstname' is unknown; did you mean 'first_name'",
        ),
        (
            {"import_profiles": [list_goal(list_name_property="lists")]},
            "import_profiles[0].list_name_property",
            "'lists' is unknown",
        ),
        ({"export_profiles": [user_goal(segment="x")]}, "export_profiles[0].segment", "allowed: spenders"),
        (
            {"export_profiles": [user_goal(link=[{"field": "cookie", "property": "email"}])]},
            "export_profiles[0].link[0].field",
            "allowed: sid, email, extid, sms",
        ),
        (
            {"export_profiles": [user_goal(link=[{"field": "email", "property": "total"}])]},
            "export_profiles[0].link[0].property",
            "'total' is not an identifier; allowed: email, sailthru_profile_id, number",
        ),
        (
            {"export_profiles": [user_goal(map=[{"field": "1st name", **COLUMN}])]},
            "export_profiles[0].map",
            "found '1st name'; a custom field begins with a letter",
        ),
        (
            {"export_profiles": [user_goal(remove_from_lists=True)]},
            "export_profiles[0].remove_from_lists",
            "there are no lists to take users off",
        ),
    ],
)
def test_a_problem_is_reported_with_file_and_position(
    change: dict[str, Any], place: str, needle: str, crm: Project
) -> None:
    """A problem is reported with file, path, found value and allowed values."""
    declare(crm, **change)
    message = refusal()
    for expected in ("crm/defs.yaml", f"attributes.{place}", needle):
        assert expected in message


def test_a_profile_model_needs_sailthrus_id(project: Project) -> None:
    """Without a property for Sailthru's id the message has the line that the profile model needs."""
    declare(project, export_profiles=[], import_profiles=[list_goal(link=[{"field": "email", "property": "email"}])])
    message = refusal()
    assert "attributes.import_profiles[0].lists: the property sailthru_profile_id" in message
    assert "{name: sailthru_profile_id, type: text, identifier: true}" in message
