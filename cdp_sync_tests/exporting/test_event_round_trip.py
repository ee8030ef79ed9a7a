"""Events in an exported file that is imported with the same format are the same events."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.exporting.event_exporter import EventExporter, goal
from cdp_sync_tests.exporting.event_exporter import profiles as event_profiles
from cdp_sync_tests.exporting.test_round_trip import EARLY, LATE, SHARED, formats, list_texts, visible_texts
from cdp_sync_tests.generated import examples
from cdp_sync_tests.trail.importer import Importer, check_adds_up

ITEM = [
    {"name": "sku", "identifier": True},
    {"name": "label"},
    {"name": "price", "type": "decimal"},
    {"name": "pieces", "type": "number"},
    {"name": "due", "type": "date"},
    {"name": "gift", "type": "boolean"},
]
BOUGHT = {
    "name": "bought",
    "properties": [
        {"name": "code"},
        {"name": "count", "type": "number"},
        {"name": "total", "type": "decimal"},
        {"name": "day", "type": "date"},
        {"name": "shipped", "type": "datetime"},
        {"name": "gift", "type": "boolean"},
        {"name": "tags", "multiple": True},
        {"name": "lines", "items": ITEM},
    ],
}
NAMES = ("code", "count", "total", "day", "shipped", "gift", "tags", "lines")
ITEM_NAMES = ("sku", "label", "price", "pieces", "due", "gift")

decimals = st.decimals(-(10**13), 10**13, places=4).map(Decimal)
days = st.dates(date(1, 1, 1), date(9999, 12, 31))
moments = st.datetimes(EARLY, LATE, timezones=st.just(UTC))
items = st.fixed_dictionaries(
    {
        "label": st.none() | visible_texts,
        "price": st.none() | decimals,
        "pieces": st.none() | st.integers(-(2**63), 2**63 - 1),
        "due": st.none() | days,
        "gift": st.none() | st.booleans(),
    }
)
bought = st.fixed_dictionaries(
    {
        "happened_at": moments,
        "code": st.none() | visible_texts | st.sampled_from(["0171", "007", "1e5", "null"]),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "total": st.none() | decimals,
        "day": st.none() | days,
        "shipped": st.none() | moments,
        "gift": st.none() | st.booleans(),
        "tags": st.none() | st.lists(list_texts, min_size=1, max_size=3, unique=True),
        "lines": st.none() | st.lists(items, min_size=1, max_size=3),
    }
)


def profiles() -> Profiles:
    """Return a profile model with a type of events that has a property of each type."""
    return event_profiles(event_types=[BOUGHT])


def numbered(number: int, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with an id and a person; its items have keys with leading zeros."""
    lines = event["lines"] and [{"sku": f"00{place}", **item} for place, item in enumerate(event["lines"], start=1)]
    return {"event_id": f"0{number}", "profile_id": UUID(int=1 + number % 2), **event, "lines": lines}


def exporter_of(folder: Path, events: list[Mapping[str, Any]], form: Mapping[str, Any]) -> EventExporter:
    """Return runs of a goal with all properties of these events, in the order of `bring_back`."""
    columns = [
        {"field": "email", "property": "email"},
        {"field": "id", "event_id": True},
        {"field": "time", "happened_at": True},
        *({"field": name, "event": name} for name in NAMES),
    ]
    declared = goal(events=["bought"], map=columns, window="all", file={"name": "all.csv"}, format=dict(form))
    exporter = EventExporter(folder, declared, profiles())
    exporter.hold([numbered(number, event) for number, event in enumerate(events, start=1)], "bought")
    return exporter


def bring_back(exporter: EventExporter, folder: Path) -> Importer:
    """Import the delivered file with the same format into a warehouse of its own."""
    form, names = exporter.goal.format, ("email", "id", "time", *NAMES)
    fields = dict(zip(names, names if form.header else [f"column{n}" for n in range(1, 12)], strict=True))
    event = {
        "type": "bought",
        "id": fields["id"],
        "time": fields["time"],
        "map": [{"field": fields[name], "property": name} for name in NAMES if name != "lines"],
        "items": {"lines": {"field": fields["lines"], "map": [{"field": n, "property": n} for n in ITEM_NAMES]}},
    }
    declared = {
        "name": "back",
        "format": form.model_dump(include=set(SHARED)),
        "link": [{"field": fields["email"], "property": "email"}],
        "events": [event],
    }
    importer = Importer(folder, FileGoal.model_validate(declared), profiles())
    report = importer.deliver({file.name: file.read_bytes() for file in exporter.outbox.iterdir()})
    check_adds_up(report)
    assert (report.state, report.counters.values_invalid) == ("success", 0), (report.message, report.reasons)
    return importer


def check_round_trip(events: list[Mapping[str, Any]], form: Mapping[str, Any], folder: Path) -> None:
    """Check that each delivered event is imported unchanged, and that each other one is in the quarantine."""
    exporter = exporter_of(folder / "here", events, form)
    counters = exporter.counters()
    assert counters.events_written + counters.events_not_deliverable == len(events)
    left_out = {raw.removeprefix("bought ") for (raw,) in exporter.rows("select raw from warehouse.quarantine")}
    assert len(left_out) == counters.events_not_deliverable
    if not counters.events_written:
        return
    query = f"""select event_id, happened_at, email, {", ".join(f"event.{name}" for name in NAMES)}
        from warehouse.event_bought event join warehouse.profile using (profile_id)"""
    found = {row[0]: row[1:] for row in bring_back(exporter, folder / "there").rows(query)}
    assert found == {row[0]: row[1:] for row in exporter.rows(query) if row[0] not in left_out}


@examples(10)
@given(events=st.lists(bought, min_size=1, max_size=5), form=formats)
def test_every_format_returns_events_unchanged(
    events: list[Mapping[str, Any]], form: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Values of all types, lists and items, with awkward texts, return unchanged in every combination of formats."""
    check_round_trip(events, form, tmp_path_factory.mktemp("trip"))


AT = datetime(2026, 10, 25, 0, 30, 1, tzinfo=UTC)
"""In Amsterdam this local time is there twice."""


@pytest.mark.parametrize("dates", ["%d-%m-%Y %H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "iso", "epoch_milliseconds"])
def test_moments_with_zones_return_unchanged(dates: str, tmp_path: Path) -> None:
    """Moments before, in and after the hour that a clock shows twice, in each format that names an instant."""
    events = [
        {"happened_at": AT.replace(hour=hour), "shipped": AT.replace(hour=hour), "code": "0171", "count": None,
         "total": Decimal("-0.5"), "day": None, "gift": None, "tags": None, "lines": None}
        for hour in (0, 1, 2)
    ]  # fmt: skip
    form = {"dates": [dates], "time_zone": "Europe/Amsterdam", "separator": ";", "decimal": ",", "multi_value": "|"}
    check_round_trip(events, form, tmp_path)
