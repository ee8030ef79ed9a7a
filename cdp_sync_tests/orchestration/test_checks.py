"""Checks of goals, which report the present quarantine after any run."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.orchestration.goals.segments import PROFILES
from cdp_sync.warehouse.history import quarantined
from cdp_sync_tests.orchestration.test_webserver import webserver
from cdp_sync_tests.projects import PROPERTIES, SPENDERS, Project, export, goal, shown
from cdp_sync_tests.sailthru.conftest import crm
from cdp_sync_tests.sailthru.crm import Crm, list_goal, user_goal

__all__ = ["crm"]

GOAL = dg.AssetKey(["shop", "customers"])
HEAD = "Email,FirstName,Total\n"
BAD = f"{HEAD}ada@example.com,Ada,x\n,Nobody,1\nbob@example.com,Bob,1,surplus\n"
"""An invalid number, a row without identifier, and a line with too many fields."""
ALL_BAD = {"rejected_rows": 1, "rows_without_identifier": 1, "invalid_values": 1}
NONE = {
    "rejected_rows": 0,
    "rows_without_identifier": 0,
    "unmatched_rows": 0,
    "invalid_values": 0,
    "ambiguous_links": 0,
}
CHECKS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetMaterializations { metadataEntries { label ... on IntMetadataEntry { intValue } } }
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization {
        status evaluation { severity description metadataEntries { label } } } } } }
} } }
"""


def checked(instance: dg.DagsterInstance, *names: str, key: dg.AssetKey = GOAL) -> dict[str, int]:
    """Return the numbers of the latest check results; each state says whether its number is 0."""
    keys = [dg.AssetCheckKey(key, name) for name in names or NONE]
    found = {}
    for check, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
        result = record.evaluation
        assert isinstance(result, dg.AssetCheckEvaluation)
        (found[check.name],) = [each.value for each in result.metadata.values() if isinstance(each.value, int)]
        assert result.passed is (found[check.name] == 0)
        assert result.severity == dg.AssetCheckSeverity.WARN
    return found


def run(project: Project, instance: dg.DagsterInstance, *, fails: bool = False) -> dg.ExecuteInProcessResult:
    """Run the connection."""
    result = project.run("shop_sync", instance)
    assert result.success is not fails
    return result


def evaluations(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return the names of the checks that a run evaluated."""
    return [each.check_name for each in result.get_asset_check_evaluations()]


@pytest.fixture
def shop(project: Project) -> Project:
    """A connection with a goal, and a delivered file with each kind of problem."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", BAD)
    return project


def test_a_run_without_new_files_changes_no_check(shop: Project, instance: dg.DagsterInstance) -> None:
    """A run without new files materializes and evaluates nothing, and records an observation."""
    assert set(evaluations(run(shop, instance))) == set(NONE)
    idle = run(shop, instance)
    assert checked(instance) == NONE | ALL_BAD
    assert (evaluations(idle), idle.get_asset_materialization_events()) == ([], [])
    assert shown(idle, *GOAL.path)["summary"] == "Nothing new to import."


def test_the_ui_keeps_its_warnings(shop: Project, tmp_path: Path) -> None:
    """After a run without new files the UI still shows the warnings, and one value per counter."""
    home = tmp_path / "home"
    with webserver(home, shop.environment) as ui, dg.DagsterInstance.from_config(str(home)) as instance:
        run(shop, instance)
        run(shop, instance)
        node = ui._execute(CHECKS, {"key": {"path": GOAL.path}})["assetNodeOrError"]
    found = {
        check["name"]: check["executionForLatestMaterialization"] for check in node["assetChecksOrError"]["checks"]
    }
    assert {name for name, check in found.items() if check["status"] == "FAILED"} == set(ALL_BAD)
    assert {name for name, check in found.items() if check["status"] == "SUCCEEDED"} == set(NONE) - set(ALL_BAD)
    evaluation = found["rows_without_identifier"]["evaluation"]
    assert (evaluation["severity"], evaluation["description"]) == ("WARN", "1 row without identifier.")
    assert {entry["label"] for entry in evaluation["metadataEntries"]} == {
        "rows_without_identifier",
        "reasons",
        "what to do",
    }
    (materialized,) = node["assetMaterializations"]
    assert {"label": "rows_read", "intValue": 3} in materialized["metadataEntries"]


def test_checks_count_the_quarantine(shop: Project, instance: dg.DagsterInstance) -> None:
    """Checks count the latest version of each file: another file adds problems, a corrected one removes them."""
    shop.deliver("/inbox/customers_2.csv", f"{HEAD},Nobody,1\n", minutes=1)
    run(shop, instance)
    assert checked(instance) == NONE | ALL_BAD | {"rows_without_identifier": 2}
    with shop.warehouse.open("read") as session:
        assert quarantined(session, "shop", 10)[0] == sum(checked(instance).values())
    shop.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,2\n", minutes=2)
    run(shop, instance)
    assert checked(instance) == NONE | {"rows_without_identifier": 1}


def test_values_of_unchanged_rows_stay_invalid(shop: Project, instance: dg.DagsterInstance) -> None:
    """Invalid values of unchanged rows stay when other rows change, with their new lines."""
    twice = "ada@example.com,Ada,x\n" * 2
    shop.deliver("/inbox/customers_1.csv", f"{HEAD}{twice}")
    run(shop, instance)
    for minutes, first in enumerate(("bob@example.com,Bob,1\n", "cleo@example.com,Cleo,1\n"), 1):
        shop.deliver("/inbox/customers_1.csv", f"{HEAD}{first}{twice}", minutes=minutes)
        run(shop, instance)
        assert checked(instance) == NONE | {"invalid_values": 2}
        with shop.warehouse.open("read") as session:
            assert [row["line"] for row in quarantined(session, "shop", 10)[1]] == [3, 4]
    shop.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,x\n", minutes=200)
    run(shop, instance)
    assert checked(instance) == NONE | {"invalid_values": 1}
    shop.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,3\n", minutes=300)
    run(shop, instance)
    assert checked(instance) == NONE


def test_a_failed_goal_keeps_its_checks(shop: Project, instance: dg.DagsterInstance) -> None:
    """An unreachable server changes no check; the rejected lines of a refused file count."""
    run(shop, instance)
    shop.connect("shop", goal(directory="/nowhere"))
    assert evaluations(run(shop, instance, fails=True)) == []
    assert checked(instance) == NONE | ALL_BAD
    shop.connect("shop", goal(max_rejected_percent=10))
    shop.deliver("/inbox/customers_2.csv", f"{HEAD}cleo@example.com,Cleo,1,surplus\n", minutes=1)
    run(shop, instance, fails=True)
    assert checked(instance)["rejected_rows"] == 1 + 1


def test_checks_of_a_single_failed_goal_have_results(shop: Project, instance: dg.DagsterInstance) -> None:
    """Dagster plans the checks of a single goal with it, and they have results although the goal fails."""
    run(shop, instance)
    shop.connect("shop", goal(directory="/nowhere"))
    job = shop.load().resolve_implicit_global_asset_job_def()
    assert not job.execute_in_process(instance=instance, asset_selection=[GOAL], raise_on_error=False).success
    assert checked(instance) == NONE | ALL_BAD


def test_a_wrong_result_is_corrected_by_the_next_run(shop: Project, instance: dg.DagsterInstance) -> None:
    """A wrong check result is corrected by the next run, even by one without new files."""
    run(shop, instance)
    wrong = dg.AssetCheckEvaluation(GOAL, "rejected_rows", passed=True, metadata={"rows_rejected": 0})
    instance.report_runless_asset_event(wrong)
    assert evaluations(run(shop, instance)) == ["rejected_rows"]
    assert checked(instance) == NONE | ALL_BAD


def test_checks_run_without_their_goal(shop: Project, instance: dg.DagsterInstance) -> None:
    """Executed without the goal, the checks report the present quarantine."""
    run(shop, instance)
    selection = dg.AssetSelection.checks_for_assets(GOAL)
    definitions = shop.load()
    job = dg.define_asset_job("look", selection).resolve(asset_graph=definitions.resolve_asset_graph())
    resources = {"warehouse": definitions.resources["warehouse"]} if definitions.resources else {}
    assert job.execute_in_process(instance=instance, resources=resources).success
    assert checked(instance) == NONE | ALL_BAD


def test_rows_that_match_later_leave_the_check(project: Project, instance: dg.DagsterInstance) -> None:
    """Unmatched rows land as soon as their profile exists, and the check then passes."""
    project.connect("shop", goal("orders", allow_new_profiles=False))
    project.deliver("/inbox/orders_1.csv", f"{HEAD}ada@example.com,Ada,1\n")
    key = dg.AssetKey(["shop", "orders"])
    run(project, instance)
    assert checked(instance, "unmatched_rows", key=key) == {"unmatched_rows": 1}
    project.connect("shop", goal(), goal("orders", allow_new_profiles=False))
    project.deliver("/inbox/customers_1.csv", f"{HEAD}ada@example.com,Ada,1\n")
    run(project, instance)
    assert checked(instance, "unmatched_rows", key=key) == {"unmatched_rows": 0}


def test_an_export_clears_its_quarantine(project: Project, instance: dg.DagsterInstance) -> None:
    """Correcting a value that could not be exported empties the quarantine."""
    key = dg.AssetKey(["shop", "spenders"])
    likes = {"field": "Likes", "property": "likes"}
    out = export(map=[{"field": "Email", "property": "email"}, likes], format={"multi_value": ";"})
    project.describe(properties=[*PROPERTIES, {"name": "likes", "type": "text", "multiple": True}], segments=[SPENDERS])
    project.connect("shop", goal(map=[*goal()["map"], likes]), export_profiles=[out])
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total,Likes\nada@example.com,Ada,9,rock; roll\n")
    run(project, instance)
    assert checked(instance, "not_deliverable", key=key) == {"not_deliverable": 1}
    project.deliver("/inbox/customers_2.csv", f"{HEAD}ada@example.com,Ada,1\n", minutes=1)
    run(project, instance)
    assert checked(instance, "not_deliverable", key=key) == {"not_deliverable": 0}
    with project.warehouse.open("read") as session:
        assert quarantined(session, "shop", 10) == (0, [])


def test_lists_and_users_have_their_checks(crm: Crm) -> None:
    """An unchanged list keeps its goal's checks; an export warns of profiles unknown to the platform."""
    crm.box.account.add_users([{"email": "ada@example.com", "vars": {"total": "x"}, "lists": {"Main": 1}}])
    total = [{"field": "total", "property": "total"}]
    crm.declare(list_goal(map=total), exports=(user_goal(create_users=False),))
    crm.run()
    members, audience = dg.AssetKey(["crm", "members"]), dg.AssetKey(["crm", "audience"])
    assert checked(crm.instance, key=members) == NONE | {"invalid_values": 1}
    crm.run()
    assert checked(crm.instance, key=members) == NONE | {"invalid_values": 1}
    names = ("consent_skipped", "not_deliverable", "profiles_without_identifier", "unmatched_profiles")
    assert checked(crm.instance, *names, key=audience) == dict.fromkeys(names, 0)


def test_the_catalog_shows_the_number_of_profiles(shop: Project, instance: dg.DagsterInstance) -> None:
    """Each import that changes profiles reports their number on the asset `profiles`, once."""
    shop.describe(segments=[SPENDERS])

    def counts() -> list[Any]:
        found = instance.fetch_materializations(PROFILES, limit=10).records
        return [each.asset_materialization.metadata["dagster/row_count"].value for each in reversed(found)]  # type: ignore[union-attr]

    run(shop, instance)
    assert counts() == [1]
    run(shop, instance)
    assert counts() == [1]
    shop.deliver("/inbox/customers_2.csv", f"{HEAD}cleo@example.com,Cleo,1\n", minutes=1)
    run(shop, instance)
    assert counts() == [1, 2]
