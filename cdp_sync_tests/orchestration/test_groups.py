"""Goals that import groups, over a real server: order, ops, assets, backfills, and the command line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync.orchestration.goals.metadata import values_in
from cdp_sync_tests.orchestration.test_new_files import Ticker
from cdp_sync_tests.projects import PROPERTIES, Project, export, goal, open_project, shown

STORES = {
    "properties": [
        *PROPERTIES,
        {"name": "stores", "type": "group", "group_type": "store", "multiple": True},
        {"name": "home_store", "type": "group", "group_type": "store"},
    ],
    "group_types": [{"name": "store", "properties": [{"name": "city"}, {"name": "visitors", "type": "number"}]}],
    "segments": [{"name": "spenders", "when": {"property": "stores", "contains_any": ["18", "99"]}}],
}
FIRST = "Store,City,Visitors\n17,Delft,3\n18,Leiden,x\n,Gouda,1\n"
PEOPLE = "Email,Stores,Home,Total\nada@example.com,17|18, 17 ,3\nbob@example.com,17,,1\n"


def stores(name: str = "stores", **fields: object) -> dict[str, Any]:
    """Return a goal that imports stores from `/inbox/<name>_*.csv`."""
    usual = {
        "type": "store",
        "id": "Store",
        "directory": "/inbox",
        "files": f"{name}_*.csv",
        "complete": {"settle_seconds": 0},
        "map": [{"field": "City", "property": "city"}, {"field": "Visitors", "property": "visitors", "mode": "sum"}],
    }
    return {"name": name} | usual | fields


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with goals of all three categories, and files for them."""
    return declared_in(project)


@dataclass(frozen=True)
class Ran:
    """One run of all goals, for tests that only read."""

    project: Project
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One run of all goals; one person holds the id of a store that is not imported."""
    with (
        open_project(tmp_path_factory.mktemp("groups") / "project") as project,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        declared_in(project).deliver("/inbox/customers_2.csv", "Email,Stores\ncleo@example.com,77\n", minutes=5)
        yield Ran(project, project.run("shop_sync", instance))


def declared_in(project: Project) -> Project:
    """Declare a connection with goals of all categories, and deliver files; those of groups are the newest."""
    people = goal(
        format={"multi_value": "|"},
        map=[
            {"field": "Stores", "property": "stores"},
            {"field": "Home", "property": "home_store"},
            {"field": "Total", "property": "total"},
        ],
    )
    columns = [{"field": name, "property": prop} for name, prop in (("Email", "email"), ("Home", "home_store"))]
    project.describe(**STORES)
    project.connect("shop", people, export_profiles=[export(map=columns)], import_groups=[stores()])
    project.deliver("/inbox/stores_1.csv", FIRST)
    project.deliver("/inbox/customers_1.csv", PEOPLE, minutes=-5)
    return project


def cdp_sync(*arguments: str, status: int = 0) -> Any:
    """Run a command in this process and return its JSON."""
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def test_groups_run_before_profiles_and_exports(ran: Ran) -> None:
    """The job runs the categories in their order; the steps of a group goal are those of any import goal."""
    result = ran.result
    assert result.success
    keys = [event.step_key or "" for event in result.all_events if event.event_type_value == "STEP_SUCCESS"]
    places = {key.partition(".")[0]: place for place, key in enumerate(keys)}
    assert places["shop__stores"] < places["shop__customers"] < places["shop__spenders"]
    ops = [key.partition(".")[2] for key in keys if key.startswith("shop__stores.")]
    assert ops == ["scan_directory", "parse_files", "link_identifiers", "upsert_profiles"]
    metadata = shown(result, "shop", "stores")
    assert metadata["summary"] == "1 file, 3 rows: 2 applied, 1 without identifier; 2 groups created, 0 updated."
    assert (metadata["groups_created"], metadata["dagster/row_count"], metadata["values_invalid"]) == (2, 2, 1)
    assert "profiles_ever_imported" not in metadata
    assert metadata["last groups"].splitlines() == ["- `18` created", "- `17` created"]


def test_a_type_of_groups_is_an_asset_after_its_goals(shop: Project, instance: dg.DagsterInstance) -> None:
    """`[groups, store]` depends on the goal; each import that lands notes how many groups there are, and the last."""
    key = dg.AssetKey(["groups", "store"])
    assert shop.load().resolve_asset_graph().get(key).parent_keys == {dg.AssetKey(["shop", "stores"])}
    shop.run("shop_sync", instance)
    shop.deliver("/inbox/stores_2.csv", "Store,City\n19,Ede\n17,Delft\n", minutes=5)
    shop.run("shop_sync", instance)
    found = [record.asset_materialization for record in instance.fetch_materializations(key, limit=5).records]
    seen = [values_in(event.metadata) for event in found if event]
    assert [(each["dagster/row_count"], each["sample"].count("created")) for each in seen] == [(3, 1), (2, 2)]


def test_what_asks_for_groups_comes_after_them(project: Project, instance: dg.DagsterInstance) -> None:
    """A segment over groups and an export of their values depend on the type; a changed group is exported again."""
    columns = [{"field": "Email", "property": "email"}, {"field": "City", "group": "home_store", "property": "city"}]
    locals_ = {"name": "spenders", "when": {"group": "stores", "property": "city", "equals": "leiden"}}
    declared_in(project).describe(**STORES | {"segments": [locals_]})
    home = [{"field": name, "property": prop} for name, prop in (("Stores", "stores"), ("Home", "home_store"))]
    people = goal(format={"multi_value": "|"}, map=home)
    project.connect("shop", people, export_profiles=[export(map=columns)], import_groups=[stores()])
    graph, key = project.load().resolve_asset_graph(), dg.AssetKey(["groups", "store"])
    assert key in graph.get(dg.AssetKey(["segments", "spenders"])).parent_keys
    assert key in graph.get(dg.AssetKey(["shop", "spenders"])).parent_keys
    assert project.run("shop_sync", instance).success
    file = project.root / "outbox" / "spenders.csv"
    assert file.read_text() == "Email,City\nada@example.com,Delft\n"
    project.deliver("/inbox/stores_2.csv", "Store,City\n17,Gouda\n", minutes=5)
    assert project.run("shop_sync", instance).success
    assert file.read_text() == "Email,City\nada@example.com,Gouda\n"


def test_people_hold_the_ids_of_their_groups(ran: Ran) -> None:
    """Ids are text without white space around them, several where the property is; segments and exports read them."""
    with ran.project.warehouse.open("read") as session:
        found = session.rows("select email, stores, home_store from warehouse.profile order by email")
    assert found[:2] == [("ada@example.com", ["17", "18"], "17"), ("bob@example.com", ["17"], None)]
    assert (ran.project.root / "outbox" / "spenders.csv").read_text() == "Email,Home\nada@example.com,17\n"


def test_files_of_groups_are_imported_again(shop: Project, instance: dg.DagsterInstance) -> None:
    """A backfill of chosen files applies all their rows, and adds no amount twice."""
    shop.run("shop_sync", instance)
    with shop.warehouse.open("write") as session:
        session.execute("update warehouse.group_store set city = null")
    files = shop.load().resolve_asset_graph().get(dg.AssetKey(["shop", "stores", "files"])).key
    result = dg.materialize(
        [*(shop.load().assets or ())],
        selection=[files],
        instance=instance,
        partition_key="stores_1.csv",
        resources=shop.load().resources,
    )
    assert result.success
    with shop.warehouse.open("read") as session:
        found = session.rows("select group_id, city, visitors from warehouse.group_store order by 1")
    assert found == [("17", "Delft", 3), ("18", "Leiden", None)]


def test_a_failed_group_goal_stops_no_other(shop: Project, instance: dg.DagsterInstance) -> None:
    """The profiles are imported and exported; the run fails with the group goal's message."""
    shop.deliver("/inbox/stores_1.csv", b"%PDF-1.7 no groups")
    result = shop.run("shop_sync", instance)
    assert not result.success
    assert (shop.root / "outbox" / "spenders.csv").exists()


def test_a_new_file_of_groups_starts_a_run(shop: Project, instance: dg.DagsterInstance) -> None:
    """The sensor of a connection that imports groups alone sees their files, and the run imports them."""
    shop.connect("shop", import_groups=[stores()], watch={"every_seconds": 30})
    ticker = Ticker(shop, instance)
    assert "1 just arrived" in str(ticker.tick().skip_message)
    (request,) = ticker.tick().run_requests or ()
    assert ticker.run(request)
    assert not ticker.next_tick().run_requests
    with shop.warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.group_store") == 2


def test_the_command_line_knows_goals_of_groups(shop: Project) -> None:
    """`list`, `check`, `scan`, `run --preview`, `run`, `runs` and `group` show what there is of groups."""
    assert [each["goal"] for each in cdp_sync("list")["connections"][0]["goals"]] == ["stores", "customers", "spenders"]
    assert CliRunner().invoke(main, ["check", "shop"]).exit_code == 0
    (scanned,) = cdp_sync("scan", "shop", "--goal", "stores")["goals"]
    assert [(each["path"], each["refused"]) for each in scanned["files"]] == [("/inbox/stores_1.csv", False)]
    previewed = cdp_sync("run", "shop", "--preview")["goals"]
    assert [each["goal"] for each in previewed] == ["stores", "customers", "spenders"]
    assert previewed[0]["groups_created"] == 2
    done = {each["goal"]: each for each in cdp_sync("run", "shop")["goals"]}
    assert (done["stores"]["groups_created"], done["stores"]["rows_without_identifier"]) == (2, 1)
    assert done["customers"]["profiles_created"] == 2
    (run,) = cdp_sync("runs", "shop")["runs"]
    assert [each["goal"] for each in run["goals"]] == ["stores", "customers", "spenders"]
    assert [each["field"] for each in cdp_sync("quarantine", "shop")["rows"]] == ["Visitors", "Store"]


def test_a_group_is_shown_with_its_values_and_members(ran: Ran) -> None:
    """`cdp-sync group TYPE ID` shows values, the last change, and how many people hold the id in each property."""
    found = cdp_sync("group", "store", "17")
    assert found["members"] == {"stores": 2, "home_store": 1}
    assert (found["group_id"], found["city"], found["visitors"]) == ("17", "Delft", 3)
    text = CliRunner().invoke(main, ["group", "store", " 17 "]).output
    assert "Delft" in text
    assert "2 profiles by stores" in text
    assert "_group" not in text


@pytest.mark.parametrize(
    ("arguments", "needles"),
    [
        (("stroe", "17"), ["no type of groups 'stroe'", "store"]),
        (("store", "99"), ["No store with this id was imported."]),
        (("store", "77"), ["It is held by 1 profile by stores; import the group."]),
    ],
)
def test_an_unknown_group_is_wrong_usage(arguments: tuple[str, str], needles: list[str], ran: Ran) -> None:
    """An unknown type is named with the known ones; an id that people hold, but that was not imported, says so."""
    result = CliRunner().invoke(main, ["group", *arguments])
    assert result.exit_code == 2
    assert all(needle in result.output for needle in needles), result.output


def test_a_goal_that_does_not_fit_its_type_is_refused(shop: Project) -> None:
    """Unknown types and properties, keys of profiles, and names that are taken, are errors with the place."""
    wrong = [stores("a", type="stroe"), stores("b", map=[{"field": "City", "property": "ctiy"}]), stores("customers")]
    shop.connect("shop", goal(), import_groups=wrong)
    shop.connect("other", import_groups=[stores(link=[{"field": "Email", "property": "email"}])])
    shop.connect("third", import_groups=wrong[:2])
    output = CliRunner().invoke(main, ["check"]).output
    assert "more than one goal is called customers" in output
    assert "link" in output
    assert "import_groups[0].type: 'stroe' is unknown" in output
    assert "import_groups[1].map[0].property: 'ctiy' is unknown" in output


def test_a_stored_type_that_changed_is_found_by_check(shop: Project, instance: dg.DagsterInstance) -> None:
    """`check` compares the declared properties of groups with their columns."""
    shop.run("shop_sync", instance)
    changed = STORES | {"group_types": [{"name": "store", "properties": [{"name": "city", "type": "date"}]}]}
    shop.describe(**changed)
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 1
    assert "'city' of the group 'store' is stored as VARCHAR and declared as DATE" in result.output
