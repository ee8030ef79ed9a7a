"""Types of events in Dagster: lineage, counts, and exports that notice events; and on the command line."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync.warehouse import sync_events
from cdp_sync_tests.projects import Project, export, goal, shown

TABLE, EVENTS = dg.AssetKey(["event_order"]), dg.AssetKey(["events", "order"])
IMPORTED, EXPORTED = dg.AssetKey(["shop", "orders"]), dg.AssetKey(["shop", "buyers"])
SEGMENT, PROFILES = dg.AssetKey(["segments", "buyers"]), dg.AssetKey(["profiles"])

MODEL: dict[str, Any] = {
    "event_types": ["order", {"name": "visit", "properties": [{"name": "store"}], "keep_days": 30}],
    "rollups": [
        {"name": "orders_2_days", "event": "order", "count": True, "in_last_days": 2, "days": "exact"},
        {"name": "revenue", "event": "order", "sum": "total_revenue"},
    ],
    "segments": [{"name": "buyers", "when": {"property": "revenue", "at_least": 2}}],
}
IMPORT = goal(
    "orders",
    map=[{"field": "FirstName", "property": "first_name"}],
    events=[
        {"type": "order", "id": "Order", "time": "At", "map": [{"field": "Total", "property": "total_revenue"}]},
    ],
)
EXPORT = export(
    "buyers",
    segment="buyers",
    map=[
        {"field": "Email", "property": "email"},
        {"field": "Revenue", "property": "revenue"},
        {"field": "Recent", "property": "orders_2_days"},
    ],
)


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A connection that imports orders and exports those who bought for 2 or more."""
    project.describe(**MODEL)
    project.connect("shop", IMPORT, export_profiles=[EXPORT])
    deliver(project, 1, ("ada@example.com", "o1", 1), ("ada@example.com", "o2", 2), ("bob@example.com", "o3", 30))
    return project


def deliver(project: Project, number: int, *orders: tuple[str, str, int], hours_ago: float = 1) -> None:
    """Deliver a file of orders, each with e-mail address, id and total."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    rows = [f"{email},{email[:3]},{order},{at:%Y-%m-%d %H:%M:%S},{total}\n" for email, order, total in orders]
    project.deliver(f"/inbox/orders_{number}.csv", "".join(["Email,FirstName,Order,At,Total\n", *rows]), minutes=number)


def exported(project: Project) -> str:
    """Return the rows of the exported file, and remove it."""
    file = project.root / "outbox" / "buyers.csv"
    text = file.read_text()
    file.unlink()
    return text.partition("\n")[2]


def test_the_lineage_reads_goal_events_segment_export(shop: Project) -> None:
    """Goals with a type write its table, the type is taken from it, and segments that read a rollup depend on it."""
    definitions = shop.load()
    graph = definitions.resolve_asset_graph()
    assert graph.get(TABLE).parent_keys == {IMPORTED}
    assert graph.get(EVENTS).parent_keys == {TABLE}
    assert graph.get(SEGMENT).parent_keys == {PROFILES, EVENTS}
    assert graph.get(EXPORTED).parent_keys == {SEGMENT, EVENTS}
    assert graph.get(dg.AssetKey(["event_visit"])).parent_keys == set()
    assert not graph.get(TABLE).is_materializable
    assert "- events: " in (graph.get(IMPORTED).description or "")
    selected = definitions.resolve_job_def("shop_sync").asset_layer.selected_asset_keys
    assert set(selected) == {IMPORTED, EVENTS, SEGMENT, EXPORTED}


def test_a_run_counts_events_and_exports_rollups(shop: Project, instance: dg.DagsterInstance) -> None:
    """A run counts events after its imports; its export has rollups, and later only profiles with a new event."""
    result = shop.run("shop_sync", instance)
    assert result.success
    counted = shown(result, "events", "order")
    assert counted["dagster/row_count"] == 3
    assert [record.data for record in counted["sources"].records] == [
        {"connection": "shop", "goal": "orders", "events": 3}
    ]
    assert sum(int(str(record.data["events"])) for record in counted["last 30 days"].records) == 3
    assert shown(result, "segments", "buyers")["dagster/row_count"] == 2
    assert exported(shop) == "ada@example.com,3.0000,2\nbob@example.com,30.0000,1\n"
    deliver(shop, 2, ("bob@example.com", "o4", 5), hours_ago=40)
    assert shop.run("shop_sync", instance).success
    assert exported(shop) == "bob@example.com,35.0000,2\n"


def test_an_export_notices_that_a_window_passed(shop: Project, instance: dg.DagsterInstance) -> None:
    """A profile is exported again when an event leaves the window of a rollup, though nothing was imported."""
    assert shop.run("shop_sync", instance).success
    exported(shop)
    with shop.warehouse.open("write") as session:  # in place of waiting for two days
        session.execute("update warehouse.event_order set happened_at = now() - to_hours(50) where event_id = 'o3'")
        session.execute("update warehouse.export_state set moment = moment - to_hours(49)")
    assert shop.run("shop_sync", instance).success
    assert exported(shop) == "bob@example.com,30.0000,0\n"


def test_a_failed_import_does_not_stop_the_events(shop: Project, instance: dg.DagsterInstance) -> None:
    """Events and segments are counted although an import of the run failed."""
    shop.connect("shop", IMPORT, goal("broken", directory="/nowhere"), export_profiles=[EXPORT])
    result = shop.run("shop_sync", instance)
    assert not result.success
    assert shown(result, "events", "order")["dagster/row_count"] == 3
    assert exported(shop).count("\n") == 2


def test_a_profile_shows_its_timeline(shop: Project, instance: dg.DagsterInstance) -> None:
    """Rollups stand beside the properties; events are shown latest first, as many as asked for, and counted by type."""
    assert shop.run("shop_sync", instance).success
    deliver(shop, 2, ("ada@example.com", "o9", 4), hours_ago=99)
    assert shop.run("shop_sync", instance).success
    with shop.warehouse.open("write") as session:
        sync_events(session, shop_profiles())
        items = "[{'id': 'p' || i, 'name': null, 'quantity': 1} for i in range(5)]"
        session.execute(f"update warehouse.event_order set products = {items} where event_id = 'o9'")
        session.execute("insert into warehouse.event_order (event_id, happened_at) values ('waits', now())")
    found = json.loads(cdp_sync("profile", "ada@example.com", "--json"))
    (profile,) = found
    assert (profile["first_name"], float(profile["revenue"]), profile["orders_2_days"]) == ("ada", 7, 2)
    assert profile["event_counts"] == {"order": 3}
    assert [event["event_id"] for event in profile["events"]] == ["o2", "o1", "o9"]
    first = profile["events"][0]
    assert (first["type"], first["connection"], first["goal"]) == ("order", "shop", "orders")
    assert first["properties"] == {"total_revenue": "2.0000"}
    (profile,) = json.loads(cdp_sync("profile", "ada@example.com", "--json", "--events", "1"))
    assert [event["event_id"] for event in profile["events"]] == ["o2"]
    printed = cdp_sync("profile", "ada@example.com")
    assert "revenue" in printed
    assert "7.0000" in printed
    assert "events: 3 order" in printed
    assert "order  o9\n    total_revenue=4.0000  products=[p0 1, p1 1, p2 1, … 5 in all]" in printed


def shop_profiles() -> Any:
    """Return the declared profile model."""
    from cdp_sync.orchestration.declaration_files import declared_profiles

    return declared_profiles()


def cdp_sync(*arguments: str) -> str:
    """Return the output of a command that succeeds."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_check_names_an_event_property_whose_type_changed(shop: Project, instance: dg.DagsterInstance) -> None:
    """A stored column of another type is a problem that names property, type of event and both types."""
    assert shop.run("shop_sync", instance).success
    with shop.warehouse.open("write") as session:
        session.execute("alter table warehouse.event_order alter total_revenue type varchar")
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 1
    assert "Property 'total_revenue' of the event 'order' is stored as VARCHAR" in result.output
    failed = shop.run("shop_sync", instance)
    assert not failed.success


def test_an_import_cannot_fill_a_rollup(shop: Project) -> None:
    """A mapping to a rollup, and a rollup that has the name of a property, are problems with their places."""
    shop.connect("shop", goal("orders", map=[{"field": "Total", "property": "revenue"}]))
    output = CliRunner().invoke(main, ["check"]).output
    assert "map[0].property: 'revenue' is a rollup, worked out of events and never written" in output
    shop.describe(**{**MODEL, "rollups": [{"name": "total", "event": "order", "count": True}]})
    assert "rollups: total: a property has this name; choose another name" in CliRunner().invoke(main, ["check"]).output


def test_a_segment_depends_on_the_groups_that_it_asks_about(project: Project) -> None:
    """A condition on groups is an edge of the lineage, and so is the second event of a sequence."""
    stores = {"name": "stores", "type": "group", "group_type": "store", "multiple": True}
    asking = [
        {"name": "local", "when": {"group": "stores", "property": "city", "equals": "Ede"}},
        {"name": "returning", "when": {"event": "order", "then": {"event": "visit"}}},
    ]
    project.describe(
        properties=[{"name": "email", "type": "email", "identifier": True}, stores],
        group_types=[{"name": "store", "properties": [{"name": "city"}]}],
        event_types=MODEL["event_types"],
        segments=asking,
    )
    graph = project.load().resolve_asset_graph()
    assert graph.get(dg.AssetKey(["segments", "local"])).parent_keys == {PROFILES, dg.AssetKey(["groups", "store"])}
    visits = dg.AssetKey(["events", "visit"])
    assert graph.get(dg.AssetKey(["segments", "returning"])).parent_keys == {PROFILES, EVENTS, visits}
