"""Scores in Dagster: lineage, the job and its schedule; in segments, exports and on the command line."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync_tests.projects import Project, export, goal, shown

SCORED, SHARE = dg.AssetKey(["scores", "value_score"]), dg.AssetKey(["scores", "discount_affinity"])
EVENTS, SEGMENT = dg.AssetKey(["events", "order"]), dg.AssetKey(["segments", "buyers"])
EXPORTED = dg.AssetKey(["shop", "buyers"])

MODEL: dict[str, Any] = {
    "event_types": ["order"],
    "scores": [
        {"name": "value_score", "title": "What they will spend", "expected_value": "order.total_revenue"},
        {"name": "discount_affinity", "share": {"of": "order", "where": {"property": "coupon", "has_value": True}}},
    ],
    "segments": [{"name": "buyers", "when": {"property": "value_score", "at_least": 50}}],
}
IMPORT = goal(
    "orders",
    map=[{"field": "FirstName", "property": "first_name"}],
    events=[
        {
            "type": "order",
            "id": "Order",
            "time": "At",
            "map": [{"field": "Total", "property": "total_revenue"}, {"field": "Coupon", "property": "coupon"}],
        },
    ],
)
EXPORT = export(
    "buyers",
    segment="buyers",
    map=[
        {"field": "Email", "property": "email"},
        {"field": "Value", "property": "value_score"},
        {"field": "Discount", "property": "discount_affinity"},
    ],
)
AMOUNTS = {"ada": 900, "bob": 20, "cyd": 1}


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A connection that imports orders, with the scores of who made them."""
    project.describe(**MODEL)
    project.connect("shop", IMPORT, export_profiles=[EXPORT])
    deliver(project)
    return project


def deliver(project: Project, number: int = 1, **more: int) -> None:
    """Deliver a file with three orders of each person; those of bob have coupons."""
    rows = ["Email,FirstName,Order,At,Total,Coupon\n"]
    for name, amount in {**AMOUNTS, **more}.items():
        for days in (10, 40, 70):
            at = datetime.now(UTC) - timedelta(days=days)
            coupon = "SAVE" if name == "bob" else ""
            rows.append(f"{name}@example.com,{name},{name}{days},{at:%Y-%m-%d %H:%M:%S},{amount + days},{coupon}\n")
    project.deliver(f"/inbox/orders_{number}.csv", "".join(rows), minutes=number)


def exported(project: Project) -> str:
    """Return the rows of the exported file."""
    return (project.root / "outbox" / "buyers.csv").read_text().partition("\n")[2]


def test_the_lineage_reads_events_score_segment_export(shop: Project) -> None:
    """Scores depend on their events; segments and exports depend on the scores that they read."""
    definitions = shop.load()
    graph = definitions.resolve_asset_graph()
    assert graph.get(SCORED).parent_keys == {EVENTS}
    assert SCORED in graph.get(SEGMENT).parent_keys
    assert SHARE not in graph.get(SEGMENT).parent_keys
    assert {SCORED, SHARE} <= graph.get(EXPORTED).parent_keys
    assert set(definitions.resolve_job_def("scores").asset_layer.selected_asset_keys) == {SCORED, SHARE}
    assert SCORED not in definitions.resolve_job_def("shop_sync").asset_layer.selected_asset_keys


def test_segments_and_exports_read_the_percentiles(shop: Project, instance: dg.DagsterInstance) -> None:
    """Before scores are computed nobody has one; afterwards segments and exports have the percentiles.

    The asset shows the distribution, and a hold-out where there are enough profiles; no personal data. A profile is
    exported again when its percentile changed, though nothing of it was imported.
    """
    assert shop.run("shop_sync", instance).success
    assert not (shop.root / "outbox" / "buyers.csv").exists()
    computed = shop.run("scores", instance)
    assert computed.success
    metadata = shown(computed, "scores", "value_score")
    assert metadata["dagster/row_count"] == 3
    assert metadata["mean amount"] == pytest.approx(347, abs=1)
    metadata = shown(computed, "scores", "discount_affinity")
    rows = str(metadata["distribution"]).splitlines()[2:]
    assert [row.split(" | ")[:2] for row in rows] == [["| 0\u00a0to\u00a09", "2"], ["| 90\u00a0to\u00a0100", "1"]]
    assert all("█" in row for row in rows)
    assert metadata["hold-out"].startswith("Too few profiles have events before and in the last 90 days")
    assert "ada" not in str(metadata)
    assert shop.run("shop_sync", instance).success
    assert exported(shop) == "ada@example.com,100,0\nbob@example.com,50,100\n"
    deliver(shop, 2, dan=5000)
    for job in ("shop_sync", "scores", "shop_sync"):
        assert shop.run(job, instance).success
    assert exported(shop) == "ada@example.com,66,0\ndan@example.com,100,0\n"


def test_the_schedule_computes_once_a_day(shop: Project) -> None:
    """By default scores are computed at 02:00; a declared schedule is theirs, and without scores there is none."""
    schedule = shop.load().resolve_schedule_def("scores_schedule")
    assert (schedule.job_name, schedule.cron_schedule) == ("scores", ["0 2 * * *"])
    with dg.instance_for_test() as instance:
        due = datetime(2026, 11, 30, 2, tzinfo=UTC)
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=due)
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.tags["reason"] == "schedule"
    shop.describe(**{**MODEL, "scores_schedule": {"every_minutes": 60}})
    assert shop.load().resolve_schedule_def("scores_schedule").cron_schedule == ["0 * * * *"]
    shop.describe(event_types=["order"])
    shop.connect("shop", IMPORT)
    assert [each.name for each in shop.load().schedules or ()] == []


def test_the_profile_shows_its_scores(shop: Project, instance: dg.DagsterInstance) -> None:
    """`cdp-sync profile` shows the percentiles; `segment` counts and describes by them."""
    for job in ("shop_sync", "scores"):
        assert shop.run(job, instance).success
    answer = CliRunner().invoke(main, ["profile", "bob@example.com", "--json"])
    (profile,) = json.loads(answer.output)
    assert (profile["value_score"], profile["discount_affinity"]) == (50, 100)
    counted = json.loads(CliRunner().invoke(main, ["segment", "buyers", "--json"]).output)
    assert counted["size"] == 2
    assert counted["words"] == "`value_score` is at least 50"


def test_the_command_computes_and_shows_scores(shop: Project, instance: dg.DagsterInstance) -> None:
    """`cdp-sync scores` shows what the warehouse has; with `--compute` the job runs first."""
    assert shop.run("shop_sync", instance).success
    before = json.loads(CliRunner().invoke(main, ["scores", "--json"]).output)
    assert [(each["name"], each["profiles"], each["scored_at"]) for each in before] == [
        ("value_score", 0, None),
        ("discount_affinity", 0, None),
    ]
    computed = CliRunner().invoke(main, ["scores", "--compute", "--json"])
    assert computed.exit_code == 0, computed.output
    assert [(each["name"], each["profiles"]) for each in json.loads(computed.output)] == [
        ("value_score", 3),
        ("discount_affinity", 3),
    ]
    printed = CliRunner().invoke(main, ["scores"]).output
    assert "value_score  3 profiles, computed at " in printed
    assert "90 to 100" in printed
    assert ", 2 scores, " in CliRunner().invoke(main, ["check"]).output
    assert "No hold-out yet: it needs 20 profiles" in printed
    shop.describe(event_types=["order"])
    shop.connect("shop", IMPORT)
    refused = CliRunner().invoke(main, ["scores", "--compute"])
    assert (refused.exit_code, "No scores are declared." in refused.output) == (1, True)


def test_the_command_shows_the_hold_out(shop: Project, instance: dg.DagsterInstance) -> None:
    """With enough profiles, `cdp-sync scores` has the hold-out of when scores were computed, as the UI has."""
    soon = [{**score, "horizon_days": 30} for score in MODEL["scores"]]
    shop.describe(**{**MODEL, "scores": soon})
    deliver(shop, 2, **{f"p{number}": 100 * number for number in range(20)})
    for job in ("shop_sync", "scores"):
        computed = shop.run(job, instance)
        assert computed.success
    printed, answered = (CliRunner().invoke(main, ["scores", *more]).output for more in ([], ["--json"]))
    words = str(shown(computed, "scores", "value_score")["hold-out"])
    assert words.startswith("Computed as of 30 days ago and compared with what 23 profiles did since")
    assert words in " ".join(printed.split())
    found = json.loads(answered)[0]["held_out"]
    assert (found["days"], found["profiles"]) == (30, 23)
    assert f"{found['of_score']:.3f}" in words


def test_an_import_cannot_fill_a_score(shop: Project) -> None:
    """A mapping to a score is a problem with its place."""
    shop.connect("shop", goal("orders", map=[{"field": "Total", "property": "value_score"}]))
    output = CliRunner().invoke(main, ["check"]).output
    assert "map[0].property: 'value_score' is a score, computed of events and never imported" in output
