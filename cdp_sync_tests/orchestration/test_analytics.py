"""Analytics in Dagster and on the command line: assets with figures, scheduled files, and answers for programs."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.analytics import VIEWS, last_days
from cdp_sync.orchestration.goals.metadata import values_in
from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.test_cli import answer, cdp_sync, output_of

NOW = datetime.now(UTC)
YESTERDAY = NOW.date() - timedelta(days=1)
ANALYTICS = {"days": 10, "file": "csv", "schedule": {"times_per_day": 1, "starting_at": "06:00"}}
FIELDS = [{"field": "Campaign", "property": "campaign_id"}, {"field": "Name", "property": "campaign_name"}]
EVENTS = [
    {"type": "email_delivered", "id": "Id", "time": "Delivered", "map": FIELDS},
    {"type": "email_link_clicked", "id": "Id", "time": "Clicked", "map": FIELDS},
    {"type": "order", "id": "Id", "time": "Ordered", "map": [{"field": "Total", "property": "total_revenue"}]},
]
TYPES = ["email_delivered", "email_link_clicked", "order"]


def at(days: int, hour: int) -> str:
    """Return a moment so many days ago."""
    return f"{datetime(NOW.year, NOW.month, NOW.day, hour, tzinfo=UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S}"


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A project with two deliveries, a click and an order after it, all of them imported."""
    project.describe(event_types=TYPES, analytics=ANALYTICS)
    project.connect("shop", goal("mails", map=[], events=EVENTS))
    rows = [
        "Email,Id,Campaign,Name,Delivered,Clicked,Ordered,Total",
        f"ada@example.com,1,spring,Spring sale,{at(3, 8)},{at(3, 9)},{at(2, 9)},12.3456",
        f"bob@example.com,2,spring,Spring sale,{at(3, 8)},,,",
    ]
    project.deliver("/inbox/mails_1.csv", "\n".join(rows) + "\n")
    return project


def metadata(result: dg.ExecuteInProcessResult, view: str) -> dict[str, Any]:
    """Return what the catalog shows of a view."""
    [made] = [
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["analytics", view])
    ]
    return values_in(made.metadata)


def test_the_assets_show_and_write_the_figures(shop: Project, instance: dg.DagsterInstance) -> None:
    """Each view is an asset whose numbers are plotted, with a chart, and with a file of the last whole days."""
    assert shop.run("shop_sync", instance).success
    result = shop.run("analytics", instance)
    assert result.success
    found = metadata(result, "performance")
    assert (found["deliveries"], found["unique_clicks"], found["click_rate"]) == (2, 1, 0.5)
    assert (found["attributed_orders"], found["attributed_revenue"]) == (1, 12.3456)
    assert "sends" not in found
    assert f"|{YESTERDAY - timedelta(days=2):%m-%d}|{'█' * 20}\N{NO-BREAK SPACE}1|" in found["chart"]
    assert metadata(result, "customers")["new_customers"] == 1
    assert metadata(result, "identification")["identification_rate"] == 1.0
    for view in VIEWS:
        file = shop.data / "analytics" / f"{view}_{YESTERDAY:%Y%m%d}.csv"
        assert metadata(result, view)["file"] == f"data/analytics/{file.name}"
        assert file.stat().st_mode & 0o077 == 0
    rows = list(
        csv.DictReader(io.StringIO((shop.data / "analytics" / f"campaigns_{YESTERDAY:%Y%m%d}.csv").read_text()))
    )
    assert [(row["campaign"], row["name"], row["attributed_revenue"]) for row in rows] == [
        ("spring", "Spring sale", "12.3456")
    ]
    assert {each.name for each in (shop.data / "analytics").iterdir()} == {
        f"{view}_{YESTERDAY:%Y%m%d}.csv" for view in VIEWS
    }


def test_a_run_can_choose_its_timeframe(shop: Project, instance: dg.DagsterInstance) -> None:
    """The launchpad of an asset takes first day, last day and period; what is no timeframe fails with a remedy."""
    assert shop.run("shop_sync", instance).success
    definitions = shop.load()
    job, key = definitions.resolve_job_def("analytics"), dg.AssetKey(["analytics", "performance"])
    day = str(YESTERDAY - timedelta(days=2))

    def run(**config: str) -> dg.ExecuteInProcessResult:
        chosen = {"ops": {"analytics__performance": {"config": config}}}
        return job.execute_in_process(instance=instance, asset_selection=[key], run_config=chosen, raise_on_error=False)

    found = metadata(run(since=day, until=day, by="total"), "performance")
    assert (found["timeframe"], found["deliveries"], found["attributed_orders"]) == (f"{day} to {day}", 2, 0)
    ended = metadata(run(until="2026-02-28"), "performance")["timeframe"]
    assert ended == "2026-02-19 to 2026-02-28"
    assert not run(since="yesterday").success
    assert not run(by="year").success


def test_the_lineage_names_the_types_that_are_counted(shop: Project) -> None:
    """A view comes after the types of events that it counts; without a declaration there are no views."""
    graph = shop.load().resolve_asset_graph()
    events = {dg.AssetKey(["events", name]) for name in TYPES}
    assert graph.get(dg.AssetKey(["analytics", "performance"])).parent_keys == events
    assert graph.get(dg.AssetKey(["analytics", "customers"])).parent_keys == {dg.AssetKey(["events", "order"])}
    shop.describe(event_types=TYPES)
    assert not [key for key in shop.load().resolve_asset_graph().get_all_asset_keys() if key.path[0] == "analytics"]


def test_the_schedule_counts_when_it_is_due(shop: Project) -> None:
    """The declared time of day starts the job `analytics`; other ticks do nothing."""
    made = shop.load().resolve_schedule_def("analytics_schedule")
    for hour, due in ((6, True), (7, False)):
        tick = datetime(2026, 11, 28, hour, tzinfo=UTC)
        found = made.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=tick))
        assert bool(found.run_requests) == due
    assert made.job_name == "analytics"


def test_the_command_answers_people_and_programs(shop: Project, tmp_path: Path) -> None:
    """A table, JSON and CSV have the same figures; a file is written in the format that its name asks for."""
    output_of(cdp_sync("run", "shop"))
    printed = output_of(cdp_sync("analytics"))
    assert "unique clicks" in printed
    found = answer("analytics", "performance", "--by", "day", "--format", "json")
    assert (len(found["rows"]), found["to"], found["by"]) == (30, str(YESTERDAY), "day")
    assert found["total"]["attributed_revenue"] == "12.3456"
    text = output_of(
        cdp_sync("analytics", "customers", "--format", "csv", "--from", "2000-01-01", "--to", str(NOW.date()))
    )
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["period"], row["revenue"], row["returning_customers"]) == (f"2000-01-01/{NOW.date()}", "12.3456", "0")
    (campaign,) = answer("analytics", "campaign", "Spring sale", "--format", "json")["rows"]
    assert (campaign["deliveries"], Decimal(campaign["click_rate"])) == (2, Decimal("0.5"))
    for name, read in (("figures.json", json.loads), ("figures.csv", list)):
        output_of(cdp_sync("analytics", "campaigns", "--output", str(tmp_path / name)))
        assert read((tmp_path / name).read_text())


def test_the_command_refuses_what_it_cannot_count(shop: Project, tmp_path: Path) -> None:
    """An unknown campaign, a reversed timeframe and a table in a file end with what is needed."""
    output_of(cdp_sync("run", "shop"))
    assert "Did you mean 'spring'" in output_of(cdp_sync("analytics", "campaign", "sprng"), 2)
    assert json.loads(output_of(cdp_sync("analytics", "--to", "0001-01-05", "--json")))["from"] == "0001-01-01"
    assert "not before the first" in output_of(cdp_sync("analytics", "--from", "2026-02-02", "--to", "2026-02-01"), 2)
    early = output_of(cdp_sync("analytics", "campaign", "spring", "--from", "2000-01-01", "--to", "2000-01-02"), 2)
    assert "None is of any campaign." in early
    assert "`campaign` needs" in output_of(cdp_sync("analytics", "campaign"), 2)
    assert "leave out" in output_of(cdp_sync("analytics", "--format", "table", "--output", str(tmp_path / "x")), 2)
    assert "No such file" in output_of(cdp_sync("analytics", "--output", str(tmp_path / "no" / "x")), 1)


def test_a_narrow_terminal_shows_rows_as_lines(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the columns do not fit, each row is a line of its figures that are not 0."""
    from cdp_sync.printing import Output

    output_of(cdp_sync("run", "shop"))
    monkeypatch.setattr(Output, "width", 60)
    printed = output_of(cdp_sync("analytics", "campaigns"))
    assert "spring Spring sale  deliveries 2, clicks 1, unique clicks 1, attributed orders 1" in printed.replace(
        "\n", " "
    )


def test_declarations_that_do_not_fit_are_named(shop: Project) -> None:
    """Names of types and properties that are written down have to exist; defaults need not."""
    wrong = {"sent": "mail_sent", "revenue": "order_id", "campaign": "campain_id", "identified_by": "mail"}
    shop.describe(event_types=TYPES, analytics=wrong)
    printed = output_of(cdp_sync("check"), 1)
    assert "sent: 'mail_sent' is unknown" in printed
    assert "revenue: 'order_id' is no single number; allowed: total_revenue, quantity" in " ".join(printed.split())
    assert "campaign: 'campain_id' is unknown; did you mean 'campaign_id'?" in printed
    assert "identified_by: 'mail' is unknown" in printed


def test_the_declared_days_end_yesterday() -> None:
    """Ten days end with yesterday, in UTC."""
    assert last_days(10, datetime(2026, 11, 28, tzinfo=UTC), "day").since == date(2026, 11, 18)
