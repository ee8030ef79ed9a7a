"""Exports of responses in Dagster: lineage, ops, delivery, preview, and the sensor that runs them when they are due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from cdp_sync_tests.projects import QUIET, Project, goal, shown
from cdp_sync_tests.test_cli import answer, cdp_sync, output_of

EXPORTED = dg.AssetKey(["shop", "responses"])
NOW = datetime.now(UTC)
FIELDS = [{"field": "Campaign", "property": "campaign_id"}]
EVENTS = [
    {"type": "email_delivered", "id": "Id", "time": "Delivered", "map": FIELDS},
    {"type": "email_opened", "id": "Id", "time": "Opened", "map": FIELDS},
]
IMPORT = goal("mails", map=[], events=EVENTS)


def mails(*rows: str) -> str:
    """Return a file of deliveries and opens."""
    return "\n".join(["Email,Id,Campaign,Delivered,Opened", *rows]) + "\n"


def ago(hours: float) -> str:
    """Return a moment so many hours ago."""
    return f"{NOW - timedelta(hours=hours):%Y-%m-%d %H:%M:%S}"


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A connection that imports deliveries and opens, and exports responses: one mailing is due, one is not."""
    project.describe(event_types=["email_delivered", "email_opened"])
    responses = {
        "name": "responses",
        "directory": "/outbox",
        "contact": ["email"],
        "format": {"row_delimiter": "linux"},
    }
    project.connect("shop", IMPORT, export_responses=[responses])
    rows = [f"ada@example.com,1,spring,{ago(30)},{ago(29)}", f"bob@example.com,2,sale,{ago(2)},"]
    project.deliver("/inbox/mails_1.csv", mails(*rows))
    return project


def outbox(project: Project) -> dict[str, str]:
    """Return the delivered files, and remove them."""
    found = {}
    for file in sorted((project.root / "outbox").iterdir()):
        found[file.name] = file.read_text()
        file.unlink()
    return found


def look(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Return what the sensor answers."""
    found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(found, dg.SensorResult)
    return found


def test_a_run_exports_the_responses_that_are_due(shop: Project, instance: dg.DagsterInstance) -> None:
    """The goal comes after its types of events; it delivers each mailing that is due, and a second run none."""
    definitions = shop.load()
    graph = definitions.resolve_asset_graph()
    assert graph.get(EXPORTED).parent_keys == {
        dg.AssetKey(["events", "email_delivered"]),
        dg.AssetKey(["events", "email_opened"]),
    }
    node = definitions.resolve_assets_def(EXPORTED).node_def
    assert isinstance(node, dg.GraphDefinition)
    ops = ["select_responses", "write_files", "deliver_files", "record_delivery"]
    assert [each.name for each in node.nodes_in_topological_order] == ops
    result = shop.run("shop_sync", instance)
    assert result.success
    ((name, text),) = outbox(shop).items()
    header = "mailing,email,delivered,opened,first_delivered_at,last_delivered_at,first_opened_at,last_opened_at"
    assert (name, text.splitlines()[0]) == ("responses_spring.csv", header)
    assert text.splitlines()[1].startswith("spring,ada@example.com,1,1,")
    found = shown(result, "shop", "responses")
    assert (found["events_in_window"], found["events_written"], found["dagster/row_count"]) == (2, 2, 2)
    again = shop.run("shop_sync", instance)
    assert again.success
    assert outbox(shop) == {}


def test_the_sensor_runs_what_is_due(shop: Project, instance: dg.DagsterInstance) -> None:
    """When events are there of a mailing that is due, it requests the goal alone; then it waits for more of them."""
    definitions = shop.load()
    sensor = definitions.resolve_sensor_def("shop_mailings")
    assert look(sensor, instance).skip_reason is not None
    output_of(cdp_sync("run", "shop", "--goal", "mails"))
    found = look(sensor, instance)
    (request,) = found.run_requests or ()
    assert (request.asset_selection, request.tags) == ([EXPORTED], {"reason": "mailings due"})
    assert [each.run_key for each in look(sensor, instance, found.cursor).run_requests or ()] == [request.run_key]
    job = definitions.resolve_job_def("shop_sync")
    result = job.execute_in_process(
        instance=instance, asset_selection=request.asset_selection, run_config=QUIET, raise_on_error=False
    )
    assert result.success
    assert list(outbox(shop)) == ["responses_spring.csv"]
    after = look(sensor, instance, found.cursor)
    assert not after.run_requests
    assert "No event has come" in str(look(sensor, instance, after.cursor).skip_reason)

    shop.deliver("/inbox/mails_2.csv", mails(f"ada@example.com,3,spring,,{ago(1)}"), minutes=1)
    output_of(cdp_sync("run", "shop", "--goal", "mails"))
    (grown,) = look(sensor, instance, after.cursor).run_requests or ()
    assert grown.run_key != request.run_key


def test_the_sensor_waits_for_runs_and_writers(shop: Project, instance: dg.DagsterInstance) -> None:
    """While a run of the connection has not ended, or another process holds the warehouse, it requests nothing."""
    output_of(cdp_sync("run", "shop", "--goal", "mails"))
    definitions = shop.load()
    sensor, job = definitions.resolve_sensor_def("shop_mailings"), definitions.resolve_job_def("shop_sync")
    run = instance.create_run_for_job(job, tags={"connection": "shop"}, status=dg.DagsterRunStatus.STARTED)
    assert "has not ended" in str(look(sensor, instance).skip_reason)
    instance.delete_run(run.run_id)
    with shop.warehouse.open("write"):
        assert "next tick looks again" in str(look(sensor, instance).skip_reason)
    assert look(sensor, instance).run_requests


def test_goals_that_are_off_have_no_sensor(shop: Project) -> None:
    """A connection that is off, or whose goals of responses are, has no sensor for mailings."""
    usual: dict[str, Any] = {"name": "responses", "directory": "/outbox", "contact": ["email"]}
    for goal_on, connection_on in ((False, True), (True, False)):
        shop.connect("shop", IMPORT, export_responses=[usual | {"enabled": goal_on}], enabled=connection_on)
        assert "shop_mailings" not in [each.name for each in shop.load().sensors or ()]


def test_preview_and_run_on_the_command_line(shop: Project) -> None:
    """A preview shows files and first rows and delivers nothing; then the goal runs, and stands in `runs`."""
    output_of(cdp_sync("run", "shop", "--goal", "mails"))
    found = answer("export", "shop", "--goal", "responses", "--preview", "--json")
    assert found["files"] == [{"path": "/outbox/responses_spring.csv", "rows": 1}]
    assert found["rows"][0][:4] == ["spring", "ada@example.com", "1", "1"]
    assert outbox(shop) == {}
    (ran,) = answer("export", "shop", "--goal", "responses", "--json")["goals"]
    assert (ran["events_written"], [file["rows"] for file in ran["files"]]) == (2, [1])
    (past,) = answer("runs", "shop", "--json")["runs"][0]["goals"]
    assert (past["direction"], past["events_written"]) == ("export", 2)
    assert "/outbox: 1 file." in output_of(cdp_sync("check", "shop"))


def test_a_failed_delivery_is_recorded_and_delivered_later(shop: Project, instance: dg.DagsterInstance) -> None:
    """Without the directory the goal fails and says so; when it is there, the next run delivers all."""
    missing = {"name": "responses", "directory": "/missing", "contact": ["email"]}
    shop.connect("shop", IMPORT, export_responses=[missing])
    assert not shop.run("shop_sync", instance).success
    (shop.root / "missing").mkdir()
    assert shop.run("shop_sync", instance).success
    assert [each.name for each in (shop.root / "missing").iterdir()] == ["responses_spring.csv"]


def test_an_exchange_with_spotler_exports_responses(shop: Project, instance: dg.DagsterInstance) -> None:
    """The goals of a `SpotlerExchange` deliver what those of an SFTP connection do, and it has the sensor as well."""
    responses = {"name": "responses", "directory": "/outbox", "contact": ["email"]}
    shop.connect("shop", IMPORT)
    exchange = {"name": "spotler", "server": shop.server(), "export_responses": [responses]}
    shop.declare("spotler", exchange, kind="SpotlerExchange")
    output_of(cdp_sync("run", "shop"))
    assert shop.run("spotler_sync", instance).success
    assert list(outbox(shop)) == ["responses_spring.csv"]
    assert shop.load().resolve_sensor_def("spotler_mailings").job_name == "spotler_sync"
