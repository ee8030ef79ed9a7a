"""The figures of analytics equal those of a second reading in plain Python, on generated events."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.analytics import Figures, Timeframe, bar_chart, last_days, view_campaign, view_figures
from cdp_sync.analytics.timeframe import LAST
from cdp_sync.errors import UnknownName
from cdp_sync.merging import merge_by_hand
from cdp_sync.model import FileGoal, Profiles
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.analytics.figures_oracle import World, period_of
from cdp_sync_tests.analytics.generated_world import MAILS, day, generated, only, profiles, stored
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.trail.importer import Importer, check_adds_up

FRAMES = [
    Timeframe(day(10), day(38), "day"),
    Timeframe(day(3), day(45), "week"),
    Timeframe(day(0), day(49), "month"),
    Timeframe(day(12), day(12), "total"),
    Timeframe(date(2024, 11, 28), date(2026, 11, 27), "month"),
    Timeframe(date(2025, 1, 1), date(2025, 1, 9), "day"),
]
"""Parts of the time, one day, two years, and a time in which nothing happened."""


def look(warehouse: Warehouse, view: str, frame: Timeframe, declared: Profiles) -> Figures:
    """Return the figures of a view."""
    with warehouse.open("read") as session:
        return view_figures(session, declared, view, frame)


@pytest.fixture(scope="module", params=range(3))
def known(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, Warehouse, Profiles]:
    """A generated world, its warehouse and its model, each with another window of attribution."""
    days = [7, 1, 30][request.param]
    declared = profiles(analytics={"attribution_days": days})
    world = replace(generated(SEED + request.param), days=days)
    return world, stored(world, tmp_path_factory.mktemp("world"), declared), declared


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: f"{frame.words} {frame.by}")
@pytest.mark.parametrize("view", ["performance", "customers", "identification"])
def test_figures_by_period_agree(known: tuple[World, Warehouse, Profiles], view: str, frame: Timeframe) -> None:
    """Each period of the timeframe has its figures, also where nothing happened; the total counts each profile once."""
    world, warehouse, declared = known
    figures = look(warehouse, view, frame, declared)
    expected: Callable[..., dict[str, Any]] = getattr(world, view)
    assert figures.total == expected(frame)
    days = [frame.since + timedelta(days=number) for number in range((frame.until - frame.since).days + 1)]
    periods = list(
        dict.fromkeys(period_of(datetime(each.year, each.month, each.day, tzinfo=UTC), frame.by) for each in days)
    )
    if frame.by == "total":
        assert figures.rows == ({"period": f"{frame.since}/{frame.until}", **expected(frame)},)
    else:
        assert [dict(row) for row in figures.rows] == [{"period": each, **expected(frame, each)} for each in periods]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: f"{frame.words} {frame.by}")
def test_figures_by_campaign_agree(known: tuple[World, Warehouse, Profiles], frame: Timeframe) -> None:
    """Each campaign has a row with the orders that are attributed to it, and so have the events of no campaign."""
    world, warehouse, declared = known
    figures = look(warehouse, "campaigns", frame, declared)
    found = {row["campaign"]: row for row in figures.rows}
    seen = {event["campaign_id"] for event in world.within(frame) if event["type"] in MAILS}
    assert seen <= found.keys()
    for name in found.keys() - {None}:
        expected = world.performance(frame, campaign=name)
        assert {each: found[name][each] for each in figures.names} == {each: expected[each] for each in figures.names}
        assert found[name]["name"] in (None, name.title())
    every = world.performance(frame)
    assert figures.total == {name: every[name] for name in figures.names}
    for name in ("sends", "deliveries", "opens", "clicks", "attributed_orders", "attributed_revenue"):
        assert sum(row[name] for row in figures.rows) == every[name], name


def test_one_campaign_is_found_by_id_or_name(known: tuple[World, Warehouse, Profiles]) -> None:
    """Its figures by period are those of its events; a campaign that nothing names is unknown."""
    world, warehouse, declared = known
    frame = FRAMES[1]
    with warehouse.open("read") as session:
        for name, campaign in (("sale", "sale"), ("Spring", "spring"), ("100%|'", "100%|'")):
            figures = view_campaign(session, declared, name, frame)
            for row in figures.rows:
                expected = world.performance(frame, row["period"], campaign)
                assert {each: row[each] for each in figures.names} == {each: expected[each] for each in figures.names}
        with pytest.raises(UnknownName, match="Did you mean 'spring'"):
            view_campaign(session, declared, "sprnig", frame)


def test_figures_of_undeclared_types_are_unknown(tmp_path: Path) -> None:
    """Without a type of events its figures and rates are empty, not 0; the others stay."""
    declared = profiles(event_types=["email_delivered", "email_opened"])
    world = only(generated(SEED), ["email_delivered", "email_opened"])
    warehouse = stored(world, tmp_path, declared)
    total, expected = look(warehouse, "performance", FRAMES[0], declared).total, world.performance(FRAMES[0])
    for name in ("sends", "bounces", "unique_clicks", "orders", "revenue", "attributed_orders", "click_rate"):
        assert total[name] is None, name
    for name in ("deliveries", "opens", "unique_opens", "open_rate"):
        assert total[name] == expected[name], name
    assert set(look(warehouse, "customers", FRAMES[0], declared).total.values()) == {None}
    assert look(warehouse, "campaigns", FRAMES[0], declared).rows


def test_types_and_properties_of_other_names(tmp_path: Path) -> None:
    """The declaration names types and properties; a number is an amount as well, and other properties identify."""
    sale = {"name": "sale", "properties": [{"name": "cents", "type": "number"}]}
    tap = {"name": "tap", "properties": [{"name": "mailing"}]}
    analytics = {
        "order": "sale",
        "revenue": "cents",
        "clicked": "tap",
        "campaign": "mailing",
        "identified_by": "number",
    }
    declared = profiles(event_types=[sale, tap], analytics=analytics)
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    person = {"profile_id": UUID(int=1), "created_at": at, "number": "1", "email": None}
    of_person = {"profile_id": UUID(int=1), "happened_at": at}
    events = [
        {"type": "tap", "event_id": "t", "mailing": "m", **of_person},
        {"type": "sale", "event_id": "s", "cents": 1250, **of_person},
    ]
    warehouse = stored(World([person], events), tmp_path, declared)
    frame = Timeframe(at.date(), at.date())
    assert look(warehouse, "performance", frame, declared).total["attributed_revenue"] == 1250
    assert [row["campaign"] for row in look(warehouse, "campaigns", frame, declared).rows] == ["m"]
    assert look(warehouse, "identification", frame, declared).total["identification_rate"] == 1


def test_an_order_belongs_to_the_last_click_in_the_window(tmp_path: Path) -> None:
    """A click counts up to the last moment of the window, before any open; later opens do not replace it."""
    declared = profiles(analytics={"attribution_days": 2})
    at = datetime(2026, 3, 10, 12, tzinfo=UTC)

    def mail(kind: str, campaign: str, before: timedelta) -> dict[str, Any]:
        own = {"event_id": campaign, "profile_id": UUID(int=1), "happened_at": at - before}
        return {"type": kind, "campaign_id": campaign, "campaign_name": campaign.title(), **own}

    order = {
        "type": "order",
        "event_id": "o",
        "profile_id": UUID(int=1),
        "happened_at": at,
        "total_revenue": Decimal(5),
    }
    events = [mail("email_link_clicked", "at_the_end", timedelta(days=2)), mail("email_opened", "opened", timedelta(0))]
    person = {"profile_id": UUID(int=1), "created_at": at, "email": None, "number": "1"}
    frame = Timeframe(at.date(), at.date())
    for number, (moved, campaign) in enumerate([(timedelta(0), "at_the_end"), (timedelta(microseconds=1), "opened")]):
        events[0]["happened_at"] -= moved
        warehouse = stored(World([person], [order, *events]), tmp_path / str(number), declared)
        rows = look(warehouse, "campaigns", frame, declared).rows
        assert [row["campaign"] for row in rows if row["attributed_orders"]] == [campaign]
        assert {row["name"] for row in rows} == {row["campaign"].title() for row in rows}


def test_merged_profiles_count_once(tmp_path: Path) -> None:
    """After two profiles are merged, their orders are of one customer, and of their opens of one message one counts."""
    declared, at = profiles(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    persons = [
        {"profile_id": UUID(int=number), "created_at": at, "email": f"p{number}@example.com", "number": str(number)}
        for number in (1, 2)
    ]
    events = [
        {"type": kind, "event_id": f"{kind}{number}", "profile_id": UUID(int=number), "happened_at": at}
        for kind in ("order", "email_opened")
        for number in (1, 2)
    ]
    warehouse = stored(World(persons, events), tmp_path, declared)
    with warehouse.open("write") as session:
        session.execute(
            """insert into warehouse.profile_identifier (property, value, profile_id)
            select 'email', email, profile_id from warehouse.profile
            union all select 'number', number, profile_id from warehouse.profile"""
        )
    frame = Timeframe(at.date(), at.date())
    assert look(warehouse, "customers", frame, declared).total["customers"] == 2
    left, right = (str(person["profile_id"]) for person in persons)
    assert merge_by_hand(warehouse, declared, left, right, decided_by="test", run_id="merge", now=at).merged == 1
    customers = look(warehouse, "customers", frame, declared).total
    assert (customers["customers"], customers["orders"], customers["orders_per_customer"]) == (1, 2, 2)
    performance = look(warehouse, "performance", frame, declared).total
    assert (performance["opens"], performance["unique_opens"]) == (2, 1)
    assert look(warehouse, "identification", frame, declared).total["profiles_created"] == 1


def test_an_empty_warehouse_has_zeros(tmp_path: Path) -> None:
    """Before anything was imported every count is 0, every rate is empty, and there are no campaigns."""
    warehouse, frame = Warehouse(tmp_path / "warehouse.duckdb"), Timeframe(day(0), day(1), "day")
    for view in ("performance", "customers", "identification"):
        figures = look(warehouse, view, frame, profiles())
        assert {value for row in figures.rows for value in list(row.values())[1:]} == {0, None}
        assert len(figures.rows) == 2
    assert look(warehouse, "campaigns", frame, profiles()).rows == ()


def test_files_and_charts_hold_the_figures(known: tuple[World, Warehouse, Profiles]) -> None:
    """The CSV and the JSON read back as the same exact numbers; a chart has a bar for each figure that it shows."""
    _, warehouse, declared = known
    figures = look(warehouse, "performance", FRAMES[0], declared)
    rows = list(csv.DictReader(io.StringIO(figures.to_csv())))
    assert [row["period"] for row in rows] == [str(row["period"]) for row in figures.rows]
    assert [Decimal(row["revenue"]) for row in rows] == [row["revenue"] for row in figures.rows]
    rates = [row["open_rate"] for row in figures.rows]
    assert [row["open_rate"] for row in rows] == ["" if rate is None else str(rate) for rate in rates]
    read = json.loads(figures.text("json"))
    assert (read["from"], read["to"], read["by"]) == (str(day(10)), str(day(38)), "day")
    assert Decimal(read["total"]["attributed_revenue"]) == figures.total["attributed_revenue"]
    chart = bar_chart(figures).splitlines()
    assert chart[0] == "| period | unique_opens | unique_clicks |"
    assert len(chart) == 2 + len(figures.rows)
    largest = max(row[name] for row in figures.rows for name in ("unique_opens", "unique_clicks"))
    assert re.search(rf"\|█+\u00a0{largest}\|", bar_chart(figures))
    assert "100%\\|'" in bar_chart(look(warehouse, "campaigns", FRAMES[0], declared))


@pytest.mark.parametrize(
    "name", ['Spring "sale", 50% off', "two\nlines", "two\rlines", "two\r\nlines", " a;b\t", "'", "\u2028", "Ü|`"]
)
def test_names_of_campaigns_come_back(name: str) -> None:
    """Whatever a campaign is called, a program reads it back from the CSV and the JSON as it is."""
    row = {"campaign": name, "name": None, "sends": 3}
    figures = Figures("campaigns", FRAMES[0], ("campaign", "name"), ("sends",), (row, {**row, "campaign": None}), row)
    read = csv.reader(io.StringIO(figures.to_csv(), newline=""))
    assert list(read) == [["campaign", "name", "sends"], [name, "", "3"], ["", "", "3"]]
    assert json.loads(figures.text("json"))["rows"][0]["campaign"] == name


AWKWARD = ('say "hi"', "a,b;c|d\te", "line\nbreak", "x\r\ny", "re\rturn", "Jürgen 😀", " x ", "0171", "=1+1", "'")


def test_a_file_comes_back_through_an_import(tmp_path: Path) -> None:
    """Campaigns with awkward names, decimals, days, and figures without a value are read as they were counted."""
    declared = profiles()
    mails = [
        {
            "type": kind,
            "event_id": f"{kind}{number}",
            "profile_id": UUID(int=1),
            "happened_at": datetime(2026, 3, 1, 12, number, tzinfo=UTC),
            "campaign_id": name,
            "campaign_name": f"{name}{name}",
            "message_id": None,
        }
        for number, name in enumerate(AWKWARD)
        for kind in ("email_delivered", "email_opened", "email_link_clicked")[: 1 + number % 3]
    ]
    order = {"type": "order", "event_id": "o", "profile_id": UUID(int=1), "total_revenue": Decimal("1234567890.1234")}
    order["happened_at"] = datetime(2026, 3, 2, tzinfo=UTC)
    person = {"profile_id": UUID(int=1), "created_at": datetime(2026, 3, 1, tzinfo=UTC), "email": None, "number": "1"}
    warehouse = stored(World([person], [*mails, order]), tmp_path / "here", declared)
    frame = Timeframe(date(2026, 3, 1), date(2026, 3, 3), "day")
    for view, key in (("campaigns", "campaign"), ("performance", "period"), ("identification", "period")):
        figures = look(warehouse, view, frame, declared)
        types = {
            name: "decimal" if name.endswith(("_rate", "revenue", "value")) else "number" for name in figures.names
        }
        types |= {name: "date" if name == "period" else "text" for name in figures.keys}
        properties = [{"name": name, "type": types[name]} for name in figures.columns if name != key]
        properties += [{"name": "key", "identifier": True}, {"name": key, "type": types[key]}]
        goal = {
            "name": "back",
            "link": [{"field": key, "property": "key"}],
            "map": [{"field": name, "property": name} for name in figures.columns],
        }
        back = Importer(
            tmp_path / view, FileGoal.model_validate(goal), Profiles.model_validate({"properties": properties})
        )
        report = back.deliver({f"/{view}.csv": figures.to_csv()})
        check_adds_up(report)
        assert (report.state, report.counters.values_invalid) == ("success", 0), report.reasons
        found = back.rows(f"select {', '.join(figures.columns)} from warehouse.profile")
        assert sorted(found, key=repr) == sorted(map(tuple, figures.cells()), key=repr)
        assert len(found) == (len(AWKWARD) if view == "campaigns" else 3)


def test_a_chart_of_a_month_is_shown_at_once() -> None:
    """Dagster's UI shows Markdown of fewer than 1,000 characters without a click: bars are as wide as that allows."""
    frame, names = Timeframe(day(0), day(30), "day"), ("unique_opens", "unique_clicks")
    rows = tuple(
        {"period": at, "unique_opens": 9_000 + 97 * number, "unique_clicks": 900 + number}
        for number, at in enumerate(frame.periods())
    )
    figures = Figures("performance", frame, ("period",), names, rows, rows[-1])
    chart = bar_chart(figures)
    assert (len(chart.splitlines()), chart.count("█") > 31 * 3, len(chart) < 1_000) == (33, True, True)
    few = bar_chart(replace(figures, rows=rows[-3:])).splitlines()
    assert few[-1] == f"|{day(30):%m-%d}|{'█' * 10}\u00a011,910|▊\u00a0930|"


def test_timeframes_are_whole_days_that_have_passed() -> None:
    """The last days end yesterday, in UTC, whatever the offset of the moment; a reversed timeframe is refused."""
    now = datetime.fromisoformat("2026-03-01T00:30:00+02:00")
    assert last_days(2, now, "day") == Timeframe(date(2026, 2, 26), date(2026, 2, 27), "day")
    with pytest.raises(ValueError, match="not before the first"):
        Timeframe(date(2026, 2, 2), date(2026, 2, 1))
    with pytest.raises(ValueError, match="needed is a day up to 9998-12-31"):
        Timeframe(date(2026, 2, 2), date.max)


@pytest.mark.parametrize("by", ["total", "day", "week", "month"])
@pytest.mark.parametrize("frame", [(date.min, date(1, 1, 9)), (date(9998, 12, 30), LAST)])
def test_timeframes_reach_the_ends_of_the_calendar(frame: tuple[date, date], by: Any, tmp_path: Path) -> None:
    """The first and the last days of the calendar have figures like any others."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    figures = look(warehouse, "performance", Timeframe(*frame, by), profiles())
    assert len(figures.rows) == len({row["period"] for row in figures.rows})
    assert {row["orders"] for row in figures.rows} == {0}
