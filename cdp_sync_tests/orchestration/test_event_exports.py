"""Exports of events in Dagster: lineage, ops, delivery, metadata, checks, history and preview."""

from typing import Any

import dagster as dg
import pytest
import yaml

from cdp_sync.model import EVENT_COUNTERS, EventCounters
from cdp_sync_tests.projects import SPENDERS, Project, goal, shown
from cdp_sync_tests.test_cli import answer, cdp_sync, output_of
from cdp_sync_tests.test_documentation import DECLARING, blocks

OPS = ["select_events", "write_files", "deliver_files", "record_delivery"]
EXPORTED = dg.AssetKey(["shop", "esp"])
VISIT = {"name": "visit", "properties": [{"name": "page"}]}
IMPORT = {
    "map": [],
    "events": [{"type": "visit", "id": "Id", "time": "Time", "map": [{"field": "Page", "property": "page"}]}],
}
FIRST = "Email,Id,Time,Page\nada@example.com,1,2026-01-01T10:00:00Z,/a\nbob@example.com,2,2026-01-02T10:00:00Z,/b\n"


def esp(**declared: object) -> dict[str, Any]:
    """Return a goal that exports visits to `/outbox/esp_<day>.csv`."""
    columns = [{"field": "email", "property": "email"}, {"field": "page", "event": "page"}]
    usual = {"events": ["visit"], "directory": "/outbox", "window": "day", "file": {"name": "esp.csv"}, "map": columns}
    return {"name": "esp", "format": {"row_delimiter": "linux"}} | usual | declared


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A connection that imports visits and exports them, and a delivered file."""
    project.describe(segments=[SPENDERS], event_types=[VISIT])
    project.connect("shop", goal("visits", **IMPORT), export_events=[esp()])
    project.deliver("/inbox/visits_1.csv", FIRST)
    return project


def outbox(project: Project) -> dict[str, str]:
    """Return the delivered files."""
    return {file.name: file.read_text() for file in sorted((project.root / "outbox").iterdir())}


def test_the_lineage_reads_events_segment_export(shop: Project) -> None:
    """An export of events comes after the types of its events and its segment; it is four ops."""
    shop.connect("shop", export_events=[esp(segment="spenders")])
    definitions = shop.load()
    graph = definitions.resolve_asset_graph()
    parents = {dg.AssetKey(["events", "visit"]), dg.AssetKey(["segments", "spenders"])}
    assert graph.get(EXPORTED).parent_keys == parents
    node = definitions.resolve_assets_def(EXPORTED).node_def
    assert isinstance(node, dg.GraphDefinition)
    assert [each.name for each in node.nodes_in_topological_order] == OPS


def test_a_run_exports_the_events_that_it_imported(shop: Project, instance: dg.DagsterInstance) -> None:
    """Files, metadata, checks and history name what was delivered; a second run delivers nothing."""
    result = shop.run("shop_sync", instance)
    assert result.success
    header = "email,page\n"
    assert outbox(shop) == {
        "esp_20260101.csv": f"{header}ada@example.com,/a\n",
        "esp_20260102.csv": f"{header}bob@example.com,/b\n",
    }
    found = shown(result, "shop", "esp")
    assert {name: found[name] for name in EVENT_COUNTERS} == vars(EventCounters(events_in_window=2, events_written=2))
    assert (found["dagster/row_count"], found["bytes"]) == (2, 2 * len(f"{header}ada@example.com,/a\n"))
    checks = {
        each.check_name: each.passed for each in result.get_asset_check_evaluations() if each.asset_key == EXPORTED
    }
    assert checks == {"consent_skipped": True, "not_deliverable": True}

    again = shop.run("shop_sync", instance)
    assert again.success
    assert shown(again, "shop", "esp")["events_in_window"] == 0
    assert list(outbox(shop)) == ["esp_20260101.csv", "esp_20260102.csv"]


def test_preview_and_run_on_the_command_line(shop: Project) -> None:
    """A preview shows files, counters and first rows and delivers nothing; then the goal runs, and stands in `runs`."""
    output_of(cdp_sync("run", "shop", "--goal", "visits"))
    found = answer("export", "shop", "--goal", "esp", "--preview", "--json")
    assert (found["events_in_window"], found["events_written"], found["header"]) == (2, 2, ["email", "page"])
    assert found["files"] == [{"path": f"/outbox/esp_2026010{day}.csv", "rows": 1} for day in (1, 2)]
    assert found["rows"] == [["ada@example.com", "/a"], ["bob@example.com", "/b"]]
    assert outbox(shop) == {}
    assert "2 of 2 to deliver" in output_of(cdp_sync("export", "shop", "--goal", "esp", "--preview"))

    (ran,) = answer("export", "shop", "--goal", "esp", "--json")["goals"]
    assert [file["state"] for file in ran["files"]] == ["delivered", "delivered"]
    assert list(outbox(shop)) == ["esp_20260101.csv", "esp_20260102.csv"]
    (past,) = answer("runs", "shop", "--json")["runs"][0]["goals"]
    assert (past["direction"], past["events_written"]) == ("export", 2)
    assert "2 of 2 events written" in output_of(cdp_sync("runs"))
    assert [goal["direction"] for goal in answer("list", "--json")["connections"][0]["goals"]] == ["import", "export"]


def test_a_failed_delivery_is_recorded_and_delivered_later(shop: Project, instance: dg.DagsterInstance) -> None:
    """Without the directory the goal fails and says so; when it is there, the next run delivers all."""
    shop.connect("shop", goal("visits", **IMPORT), export_events=[esp(directory="/missing")])
    assert not shop.run("shop_sync", instance).success
    with shop.warehouse.open("read") as session:
        failed = session.rows("select goal, events_written from warehouse.run where state = 'failed'")
    assert failed == [("esp", 0)]
    (shop.root / "missing").mkdir()
    assert shop.run("shop_sync", instance).success
    assert len(list((shop.root / "missing").iterdir())) == 2


def test_a_check_lists_the_directories_of_exports_of_events(shop: Project) -> None:
    """A check of the connection says that the directory for the files of events is missing."""
    shop.connect("shop", goal("visits", **IMPORT), export_events=[esp(directory="/missing")])
    assert "/missing" in output_of(cdp_sync("check", "shop"), 1)


def test_old_files_are_removed_in_a_run_that_delivers_nothing(shop: Project, instance: dg.DagsterInstance) -> None:
    """With `keep_days` a run removes the goal's old files, says so, and leaves a file of somebody else."""
    shop.connect("shop", goal("visits", **IMPORT), export_events=[esp(keep_days=7)])
    assert shop.run("shop_sync", instance).success
    (shop.root / "outbox" / "esp_20251231.csv").write_text("of somebody else")
    with shop.warehouse.open("write") as session:
        session.execute("update warehouse.exported_file set exported_at = exported_at - interval '8 days'")
    result = shop.run("shop_sync", instance)
    assert result.success
    assert shown(result, "shop", "esp")["summary"] == "Nothing new to export. 2 old files removed."
    assert outbox(shop) == {"esp_20251231.csv": "of somebody else"}
    with shop.warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.run where contains(message, '2 old files removed')") == 1


def test_the_goal_of_the_documentation_exports_a_day(shop: Project, instance: dg.DagsterInstance) -> None:
    """The goal that docs/declaring.md shows writes a file of each day with its five columns."""
    shown_goal = next(part["export_events"][0] for part in map(yaml.safe_load, blocks(DECLARING, "yaml"))
                      if "export_events" in part)  # fmt: skip
    imported = [
        {"type": name, "id": "Id", "time": "Time", "map": [{"field": "Page", "property": "campaign_id"}]}
        for name in shown_goal["events"][:1]
    ]
    shop.describe(segments=[SPENDERS], event_types=shown_goal["events"])
    shop.connect("shop", goal("visits", **IMPORT | {"events": imported}), export_events=[shown_goal])
    assert shop.run("shop_sync", instance).success
    first, second = outbox(shop).values()
    header, row = first.splitlines()
    assert header == "email,event,event_time,campaign_id,unique_key"
    assert row.startswith("ada@example.com,email_delivered,2026-01-01T10:00:00+00:00,/a,")
    assert (list(outbox(shop)), len({first, second})) == (["esp_20260101.csv", "esp_20260102.csv"], 2)
