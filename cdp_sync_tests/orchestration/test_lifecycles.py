"""Lifecycles in Dagster: lineage, the order in a connection's run, jobs, and what the catalog shows."""

from typing import Any

import dagster as dg
import pytest
import yaml

from cdp_sync.errors import DeclarationError
from cdp_sync.inspection import look_at_profiles
from cdp_sync.orchestration.declarations import load_declarations, read_project
from cdp_sync.orchestration.project import load_connection, load_profile_jobs
from cdp_sync_tests.projects import Project, export, goal, shown

WELCOME = {
    "name": "welcome",
    "title": "Welcome",
    "enter": {"property": "email", "has_value": True},
    "stages": [
        {"name": "fresh", "when": {"property": "total", "is_empty": True}},
        {"name": "buyer", "when": {"property": "total", "at_least": 1}},
    ],
    "complete": {"property": "total", "at_least": 100},
}
LATER = {
    "name": "later",
    "enter": {"lifecycle": "welcome", "stage": "completed"},
    "stages": [{"name": "loyal", "when": {"property": "total", "at_least": 200}}],
}
FRESH = {"name": "fresh", "when": {"lifecycle": "welcome", "stage": "fresh"}}
MOVED = {"name": "moved", "when": {"event": "stage_changed", "where": {"property": "to_stage", "equals": "buyer"}}}
KEY = dg.AssetKey(["lifecycles", "welcome"])
PEOPLE = "Email,FirstName,Total\nada@example.com,Ada,\nbob@example.com,Bob,2\ncleo@example.com,Cleo,300\n"


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """Three people, each to be in another stage, and an export of those in the first one."""
    project.describe(segments=[FRESH, MOVED])
    project.declare("welcome", WELCOME, kind="Lifecycle")
    project.connect("shop", goal(), export_profiles=[export(segment="fresh"), export("moved", segment="moved")])
    project.deliver("/inbox/customers_1.csv", PEOPLE)
    return project


def stages(project: Project) -> dict[str, str]:
    """Return the stage of each profile in the lifecycle, by e-mail address."""
    query = """select email, stage from warehouse.lifecycle_stage join warehouse.live_profile using (profile_id)
        where lifecycle = 'welcome'"""
    with project.warehouse.open("read") as session:
        return dict(session.rows(query))


def exported(project: Project, name: str) -> list[str]:
    """Return the addresses in an exported file."""
    lines = (project.root / "outbox" / f"{name}.csv").read_text().splitlines()[1:]
    return [line.partition(",")[0] for line in lines]


def test_stages_lie_between_profiles_and_segments(shop: Project) -> None:
    """A lifecycle comes after the profiles and the lifecycles that it asks about; segments and exports after it."""
    shop.declare("later", LATER, kind="Lifecycle")
    definitions = shop.load()
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    profiles = dg.AssetKey(["profiles"])
    assert graph.get(KEY).parent_keys == {profiles}
    assert graph.get(dg.AssetKey(["lifecycles", "later"])).parent_keys == {profiles, KEY}
    assert graph.get(dg.AssetKey(["segments", "fresh"])).parent_keys == {profiles, KEY}
    assert KEY in graph.get(dg.AssetKey(["shop", "spenders"])).parent_keys
    assert graph.get(dg.AssetKey(["event_stage_changed"])).parent_keys >= {KEY}
    assert {op.pool for op in graph.get(KEY).assets_def.node_def.iterate_op_defs()} == {"warehouse"}
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert names >= {"lifecycles", "lifecycle_welcome", "lifecycle_later"}


def test_a_run_keeps_stages_between_its_imports_and_its_exports(shop: Project, instance: dg.DagsterInstance) -> None:
    """What the run imports decides the stages, and these decide what it exports.

    It keeps `later` too: an export asks for changes of stages.
    """
    shop.declare("later", LATER, kind="Lifecycle")
    result = shop.run("shop_sync", instance)
    assert result.success
    assert stages(shop) == {"ada@example.com": "fresh", "bob@example.com": "buyer", "cleo@example.com": "completed"}
    assert exported(shop, "spenders") == ["ada@example.com"]
    assert not (shop.root / "outbox" / "moved.csv").exists(), "nobody has moved"
    metadata = shown(result, *KEY.path)
    counted = {name: metadata[name] for name in ("stage fresh", "stage buyer", "stage completed", "stage unassigned")}
    assert counted == {"stage fresh": 1, "stage buyer": 1, "stage completed": 1, "stage unassigned": 0}
    assert (metadata["entered"], metadata["changed stage"], metadata["left"]) == (3, 0, 0)
    assert metadata["dagster/row_count"] == 2
    assert shown(result, "events", "stage_changed")["dagster/row_count"] == 0, "a new lifecycle has changed nobody"
    shop.deliver("/inbox/customers_2.csv", "Email,FirstName,Total\nada@example.com,Ada,7\n", minutes=1)
    again = shop.run("shop_sync", instance)
    assert again.success
    assert shown(again, *KEY.path)["summary"] == "2 profiles in welcome: 1 changed stage."
    assert exported(shop, "moved") == ["ada@example.com"]
    (ada,) = look_at_profiles("ada@example.com", 10)
    assert [(each["lifecycle"], each["stage"]) for each in ada["stages"]] == [("welcome", "buyer")]
    moves = [event["properties"] for event in ada["events"]]
    assert moves == [{"lifecycle": "welcome", "from_stage": "fresh", "to_stage": "buyer"}]


def test_a_run_of_one_export_keeps_its_lifecycle(shop: Project, instance: dg.DagsterInstance) -> None:
    """A connection loads with the lifecycles that it reads, and the job of all lifecycles runs by itself."""
    assert KEY in load_connection("shop").resolve_job_def("shop_sync").asset_layer.selected_asset_keys
    shop.declare("later", LATER, kind="Lifecycle")
    assert shop.run("shop_sync", instance).success
    assert load_profile_jobs().resolve_job_def("lifecycle_later")
    result = shop.run("lifecycles", instance)
    assert result.success
    order = [event.asset_key.path[1] for event in result.get_asset_materialization_events() if event.asset_key]
    assert order == ["welcome", "later"]
    assert shown(result, "lifecycles", "later")["stage loyal"] == 1


def test_an_export_waits_for_stages_that_cannot_be_kept(shop: Project, instance: dg.DagsterInstance) -> None:
    """Where keeping the stages fails, the run fails and exports nobody by old stages; its imports have landed."""
    assert shop.run("shop_sync", instance).success
    with shop.warehouse.open("write") as session:
        session.execute("alter table warehouse.lifecycle_stage rename to elsewhere")
    shop.deliver("/inbox/customers_2.csv", "Email,FirstName,Total\ndora@example.com,Dora,\n", minutes=1)
    result = shop.run("shop_sync", instance)
    assert not result.success
    assert "lifecycles__welcome" in [event.step_key for event in result.all_events if event.is_step_failure]
    assert exported(shop, "spenders") == ["ada@example.com"]
    with shop.warehouse.open("write") as session:
        session.execute("alter table warehouse.elsewhere rename to lifecycle_stage")
        assert session.value("select count(*) from warehouse.profile") == 4
    assert shop.run("shop_sync", instance).success
    assert stages(shop)["dora@example.com"] == "fresh"
    assert exported(shop, "spenders") == ["dora@example.com"]


def test_a_lifecycle_that_is_off_keeps_no_stages(shop: Project, instance: dg.DagsterInstance) -> None:
    """Its stages stay as they were, it has no job, and the catalog says that it is off."""
    assert shop.run("shop_sync", instance).success
    shop.declare("welcome", {**WELCOME, "enabled": False}, kind="Lifecycle")
    shop.deliver("/inbox/customers_2.csv", "Email,FirstName,Total\nada@example.com,Ada,7\n", minutes=1)
    assert shop.run("shop_sync", instance).success
    assert stages(shop)["ada@example.com"] == "fresh"
    definitions = shop.load()
    assert not {"lifecycles", "lifecycle_welcome"} & {job.name for job in definitions.resolve_all_job_defs()}
    graph = definitions.resolve_asset_graph()
    assert not graph.get(KEY).is_materializable
    assert "is off" in (graph.get(KEY).description or "")


@pytest.mark.parametrize(
    ("changed", "needle"),
    [
        ({"enter": {"property": "emial", "has_value": True}}, "line 7: attributes.enter.property: 'emial' is unknown"),
        ({"complete": {"segment": "fresh"}}, "attributes.name: the lifecycle asks about itself: welcome → welcome"),
        ({"complete": {"lifecycle": "later"}}, "the lifecycle asks about itself: welcome → later → welcome"),
        ({"complete": {"segment": "moved"}}, "attributes.complete: it asks for stage_changed"),
    ],
)
def test_a_lifecycle_with_problems_is_refused_with_its_line(
    shop: Project, changed: dict[str, Any], needle: str
) -> None:
    """`check` names its file and the place; other components load, and the catalog shows it as one with problems."""
    shop.declare("later", LATER, kind="Lifecycle")
    shop.declare("welcome", WELCOME | changed, kind="Lifecycle")
    reading = read_project()
    assert any("welcome/defs.yaml" in problem and needle in problem for problem in reading.problems), reading.problems
    with pytest.raises(DeclarationError):
        load_declarations()
    assert shop.load().resolve_asset_graph().has(dg.AssetKey(["broken_connections", "welcome"]))


def test_a_lifecycle_may_be_a_further_document(project: Project) -> None:
    """A file that declares a lifecycle and a connection has both; a problem of the second one has its line."""
    project.describe(segments=[FRESH])
    file = project.connect("shop", goal(), export_profiles=[export(segment="fresh")])
    connection = file.read_text()
    lifecycle = yaml.safe_dump({"type": "cdp_sync.components.Lifecycle", "attributes": WELCOME})
    project.write("shop", f"{lifecycle}---\n{connection}")
    assert read_project().problems == ()
    for definitions in (project.load(), load_connection("shop")):
        assert KEY in definitions.resolve_job_def("shop_sync").asset_layer.selected_asset_keys
    project.write("shop", f"{connection}---\n{lifecycle.replace('at_least: 100', 'at_last: 100')}")
    line = (connection.count("\n") + 1) + lifecycle[: lifecycle.index("at_least: 100")].count("\n") + 1
    assert f"line {line}: attributes.complete.at_last: " in "\n".join(read_project().problems)


def test_two_lifecycles_of_one_name_are_refused(project: Project) -> None:
    """The later file is refused, and names the earlier one."""
    project.declare("a", WELCOME, kind="Lifecycle")
    project.declare("b", WELCOME, kind="Lifecycle")
    (problem,) = read_project().problems
    assert problem.startswith("b/defs.yaml:")
    assert "attributes.name: another lifecycle is called 'welcome', in a" in problem


def test_names_of_lifecycles_and_stages_are_checked(shop: Project) -> None:
    """A segment that asks for a lifecycle or a stage that is not declared is refused with what is allowed."""
    asking = [
        {"name": "one", "when": {"lifecycle": "welcom"}},
        {"name": "two", "when": {"lifecycle": "welcome", "stage": ["fresh", "byer"]}},
    ]
    shop.describe(segments=[FRESH, MOVED, *asking], event_types=["stage_changed_too"])
    problems = "\n".join(read_project().problems)
    assert "'stage_changed_too'" in problems
    shop.describe(segments=[FRESH, MOVED, *asking])
    problems = "\n".join(read_project().problems)
    assert "segments[2].when.lifecycle: 'welcom' is unknown; did you mean 'welcome'? allowed: welcome" in problems
    known = "did you mean 'buyer'? allowed: unassigned, fresh, buyer, completed"
    assert f"segments[3].when.stage: 'byer' is unknown; {known}" in problems


def test_changes_of_stages_are_not_imported_and_not_declared(shop: Project) -> None:
    """The type comes with the lifecycles: no project declares it, and no goal imports its events."""
    own = {"name": "stage_changed", "properties": [{"name": "other"}]}
    shop.describe(segments=[FRESH], event_types=[own])
    assert "'stage_changed' comes with the lifecycles; leave it out" in "\n".join(read_project().problems)
    shop.describe(segments=[FRESH, MOVED])
    importing = goal(events=[{"type": "stage_changed", "time": "At", "map": []}])
    shop.connect("shop", importing)
    assert "events 'stage_changed' are made by lifecycles" in "\n".join(read_project().problems)
