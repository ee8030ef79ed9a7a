"""Exports of events: windows, files, endings, and what a second run delivers."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.exporting.events.select import TOO_LATE
from cdp_sync.model import EventCounters, Profiles
from cdp_sync.warehouse.events import expire_events
from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests.exporting.event_exporter import NOON, OPENED, ORDER, EventExporter, goal, opened, profiles
from cdp_sync_tests.exporting.exporter import PROPERTIES

DAILY = {"window": "day", "file": {"name": "esp.csv"}}
SECOND = timedelta(seconds=1)
MIDNIGHT = datetime(2026, 11, 28, tzinfo=UTC)


def order(name: str = "x", at: datetime = NOON, **more: Any) -> dict[str, Any]:
    """Return an order of the first person."""
    return {"event_id": name, "profile_id": UUID(int=1), "happened_at": at} | more


def test_new_and_changed_events_are_delivered_once(tmp_path: Path) -> None:
    """Each run delivers what was written since the last one, and an event again where its row differs."""
    exporter = EventExporter(tmp_path, goal())
    exporter.hold([opened(1), opened(2, NOON - timedelta(days=400))])
    assert exporter.counters() == EventCounters(events_in_window=2, events_written=2)
    assert exporter.ids() == {"esp_20261128130000.csv": ["o2", "o1"]}
    assert exporter.counters(days=1) == EventCounters()

    exporter.hold([opened(1), opened(2, NOON - timedelta(days=400), campaign="new"), opened(3)])
    counters = exporter.counters(days=1)
    assert counters == EventCounters(events_in_window=3, events_same=1, events_written=2)
    assert exporter.ids() == {"esp_20261130130000.csv": ["o2", "o3"]}


def test_events_without_person_or_time_are_not_exported(tmp_path: Path) -> None:
    """An event that waits for its person or its time is not in any window until it has both."""
    exporter = EventExporter(tmp_path, goal(window="all"))
    exporter.hold([opened(1) | {"profile_id": None}, opened(2) | {"happened_at": None}])
    assert exporter.counters() == EventCounters()
    exporter.hold([opened(1), opened(2)])
    assert exporter.counters(days=1).events_written == 2


def test_a_type_without_a_table_has_no_events(tmp_path: Path) -> None:
    """Before anything was imported there is nothing to export; the first events are delivered when they are there."""
    exporter = EventExporter(tmp_path, goal())
    exporter.change("drop table warehouse.event_order")
    exporter.hold([opened(1)])
    assert exporter.counters().events_written == 1
    exporter.change("drop table warehouse.event_opened")
    assert exporter.counters(days=1) == EventCounters()


@pytest.mark.parametrize(
    ("moment", "day"),
    [(MIDNIGHT - SECOND / 1_000_000, "20261127"), (MIDNIGHT, "20261128"), (MIDNIGHT + SECOND, "20261128")],
)
def test_days_begin_at_midnight_in_utc(moment: datetime, day: str, tmp_path: Path) -> None:
    """An event belongs to its day in UTC, whatever the time zone of the file."""
    exporter = EventExporter(tmp_path, goal(**DAILY, format={"time_zone": "America/New_York"}))
    exporter.hold([opened(1, moment)])
    exporter.run(days=1)
    assert exporter.ids() == {f"esp_{day}.csv": ["o1"]}


def test_a_day_is_delivered_when_it_has_passed(tmp_path: Path) -> None:
    """Events of the running day wait until it has passed, also those that an earlier run has seen."""
    exporter = EventExporter(tmp_path, goal(**DAILY))
    exporter.hold([opened(1), opened(2, NOON - timedelta(days=1))])
    assert exporter.counters() == EventCounters(events_in_window=1, events_written=1)
    assert exporter.ids() == {"esp_20261127.csv": ["o2"]}
    assert exporter.counters(hours=1) == EventCounters()

    exporter.now = MIDNIGHT + timedelta(days=1)
    assert exporter.counters() == EventCounters(events_in_window=1, events_written=1)
    assert exporter.ids() == {"esp_20261128.csv": ["o1"]}
    assert exporter.counters(hours=1) == EventCounters()


def test_late_events_deliver_their_day_again(tmp_path: Path) -> None:
    """A day with a late event is delivered again as a whole, under its name; other days are not."""
    exporter = EventExporter(tmp_path, goal(**DAILY))
    exporter.hold([opened(1), opened(2, NOON - timedelta(days=1))])
    exporter.run(days=1)
    assert exporter.ids() == {"esp_20261127.csv": ["o2"], "esp_20261128.csv": ["o1"]}
    exporter.hold([opened(3, NOON - timedelta(days=1, hours=1))])
    assert exporter.counters(days=1) == EventCounters(events_in_window=2, events_written=2)
    assert exporter.ids() == {"esp_20261127.csv": ["o3", "o2"]}


def test_a_day_of_which_nothing_differs_is_not_delivered_again(tmp_path: Path) -> None:
    """An event that is written again with the same content delivers nothing."""
    exporter = EventExporter(tmp_path, goal(**DAILY))
    exporter.hold([opened(1)])
    exporter.run(days=1)
    exporter.delivered()
    exporter.hold([opened(1, url="https://example.com")])
    assert exporter.counters(days=1) == EventCounters(events_in_window=1, events_same=1)
    assert exporter.ids() == {}
    assert exporter.counters(days=1) == EventCounters()


def test_an_event_that_moves_to_another_day_leaves_its_former_file(tmp_path: Path) -> None:
    """Where both days are due, the event is in the file of its new day only."""
    exporter = EventExporter(tmp_path, goal(**DAILY))
    exporter.hold([opened(1), opened(2)])
    exporter.run(days=1)
    exporter.delivered()
    exporter.hold([opened(1, NOON - timedelta(days=1)), opened(2, campaign="new")])
    exporter.run(days=1)
    assert exporter.ids() == {"esp_20261127.csv": ["o1"], "esp_20261128.csv": ["o2"]}


def keeping(**days: int) -> Profiles:
    """Return a profile model whose types of events are kept for so many days."""
    types = [{**each, "keep_days": days.get(each["name"])} for each in (OPENED, ORDER)]
    return profiles(event_types=types)


def expire(exporter: EventExporter) -> None:
    """Remove old events as Maintenance does, at the time of the last run."""
    with exporter.warehouse.open("write") as session:
        expire_events(session, exporter.profiles, exporter.now)


@pytest.mark.parametrize("declared", [{}, {"split": "by_type"}])
def test_a_day_of_which_events_were_removed_stays_as_it_was_delivered(declared: dict[str, Any], tmp_path: Path) -> None:
    """A late or changed event does not replace the file by one without the removed events; it is in the quarantine."""
    exporter = EventExporter(tmp_path, goal(**DAILY, **declared), keeping(opened=2))
    exporter.hold([opened(1, NOON - timedelta(hours=2)), opened(2, NOON + timedelta(hours=6))])
    exporter.run(days=1)
    assert list(exporter.ids().values()) == [["o1", "o2"]]
    exporter.now = NOON + timedelta(days=2)  # between the two events, less two days
    expire(exporter)
    assert exporter.rows("select event_id from warehouse.event_opened") == [("o2",)]

    late = [opened(2, NOON + timedelta(hours=6), campaign="new"), opened(3, NOON + timedelta(hours=7))]
    exporter.hold(late)
    report = exporter.run()
    assert report.counters == EventCounters(events_in_window=2, events_not_deliverable=2)
    assert report.reasons == ((TOO_LATE, 2),)
    assert exporter.counters() == EventCounters(events_in_window=2, events_not_deliverable=2)
    assert exporter.ids() == {}

    exporter.now += timedelta(days=1)
    expire(exporter)
    assert exporter.counters() == EventCounters()
    undelivered = "select count(*) from warehouse.exported_event where row_hash is null"
    assert exporter.rows(undelivered) == [(0,)]


def test_a_late_event_joins_an_old_day_of_which_nothing_was_removed(tmp_path: Path) -> None:
    """As long as all delivered events are there, or a file has only types that are kept, the file is replaced."""
    exporter = EventExporter(tmp_path, goal(**DAILY, split="by_type"), keeping(opened=2))
    exporter.hold([opened(1)])
    exporter.hold([order()], "order")
    exporter.run(days=1)
    exporter.delivered()
    exporter.hold([opened(2)])
    exporter.run(days=9)
    assert exporter.ids() == {"esp_opened_20261128.csv": ["o1", "o2"]}

    expire(exporter)
    exporter.hold([opened(3)])
    exporter.hold([order("y")], "order")
    counters = exporter.counters(hours=1)
    assert counters == EventCounters(events_in_window=3, events_not_deliverable=1, events_written=2)
    assert exporter.ids() == {"esp_order_20261128.csv": ["x", "y"]}


def test_everything_is_delivered_when_it_differs(tmp_path: Path) -> None:
    """The window `all` has every event; its file is written again when an event is new, changed or gone."""
    exporter = EventExporter(tmp_path, goal(window="all", file={"name": "all.csv"}))
    exporter.hold([opened(1), opened(2)])
    assert exporter.counters().events_written == 2
    assert exporter.counters(days=1) == EventCounters(events_in_window=2, events_same=2)
    exporter.change("delete from warehouse.event_opened where event_id = 'o1'")
    assert exporter.counters(days=1) == EventCounters(events_in_window=1, events_written=1)
    assert exporter.ids() == {"all.csv": ["o2"]}
    assert exporter.rows("select count(*) from warehouse.exported_event") == [(1,)]


@pytest.mark.parametrize(
    ("declared", "names"),
    [
        ({"split": "by_type"}, ["esp_opened_20261128130000.csv", "esp_order_20261128130000.csv"]),
        ({"split": "by_day"}, ["esp_20261127_20261128130000.csv", "esp_20261128_20261128130000.csv"]),
        ({"window": "day", "split": "by_type"}, ["esp_opened_20261127.csv"]),
        ({"window": "all", "split": "by_type", "file": {"name": "e.csv"}}, ["e_opened.csv", "e_order.csv"]),
        ({"window": "all", "file": {"name": "e.csv", "timestamp": True}}, ["e_20261128130000.csv"]),
    ],
)
def test_files_are_split_by_type_and_day(declared: dict[str, Any], names: list[str], tmp_path: Path) -> None:
    """Types, days and times follow the name of a file."""
    exporter = EventExporter(tmp_path, goal(**declared))
    exporter.hold([opened(1, NOON - timedelta(days=1))])
    exporter.hold([order()], "order")
    exporter.run()
    assert list(exporter.delivered()) == names


def test_a_file_that_differs_is_delivered_and_the_other_is_not(tmp_path: Path) -> None:
    """With a file for each type, an event delivers the file of its own type."""
    exporter = EventExporter(tmp_path, goal(window="all", split="by_type", file={"name": "e.csv"}))
    exporter.hold([opened(1)])
    exporter.hold([order()], "order")
    exporter.run()
    exporter.delivered()
    exporter.hold([opened(2)])
    assert exporter.counters(days=1) == EventCounters(events_in_window=3, events_same=1, events_written=2)
    assert exporter.ids() == {"e_opened.csv": ["o1", "o2"]}


@pytest.mark.parametrize("declared", [{}, DAILY])
def test_a_killed_run_delivers_again_and_records_once(declared: dict[str, Any], tmp_path: Path) -> None:
    """What was published and not recorded is published again; then each event is in the ledger once."""
    exporter = EventExporter(tmp_path, goal(**declared))
    exporter.hold([opened(1), opened(2, NOON - timedelta(days=1)), opened(3, NOON - timedelta(days=2))])
    exporter.run_until_delivered(days=1)
    first = list(exporter.delivered())
    exporter.run_until_delivered(hours=1)
    second = list(exporter.delivered())
    assert (first == second) == bool(declared)
    assert exporter.rows("from warehouse.exported_event") == []
    assert exporter.counters(hours=1).events_written == 3
    assert exporter.rows("select count(*), count(distinct event_hash) from warehouse.exported_event") == [(3, 3)]
    assert exporter.counters(hours=1) == EventCounters()


def test_a_changed_declaration_delivers_everything_again(tmp_path: Path) -> None:
    """With another column every event of the window is delivered again; with another type its events are added."""
    exporter = EventExporter(tmp_path, goal(events=["opened"]))
    exporter.hold([opened(1)])
    exporter.hold([order()], "order")
    assert exporter.counters().events_written == 1
    exporter.goal = goal()
    assert exporter.counters(days=1) == EventCounters(events_in_window=1, events_written=1)
    exporter.goal = goal(map=[{"field": "id", "event_id": True}])
    assert exporter.counters(days=1).events_written == 2


def test_an_earlier_first_day_adds_its_events(tmp_path: Path) -> None:
    """Events before `since` stay out; an earlier day delivers those that were not delivered."""
    exporter = EventExporter(tmp_path, goal(since="2026-11-28"))
    exporter.hold([opened(1), opened(2, MIDNIGHT - SECOND), opened(3, MIDNIGHT)])
    assert exporter.counters().events_written == 2
    exporter.goal = goal(since="2026-11-01")
    assert exporter.counters(days=1) == EventCounters(events_in_window=3, events_same=2, events_written=1)


def test_only_events_of_a_segment(tmp_path: Path) -> None:
    """With a segment only the events of its profiles are looked at."""
    exporter = EventExporter(tmp_path, goal(segment="keen"))
    exporter.hold([opened(1), opened(2, person=2)])
    assert exporter.counters() == EventCounters(events_in_window=1, events_written=1)


def test_personal_properties_leave_with_events_at_level_two_only(tmp_path: Path) -> None:
    """Events of a profile of level 0 or 1 are not exported with a personal property."""
    properties = [*PROPERTIES, {"name": "permission_level", "type": "number"}]
    exporter = EventExporter(tmp_path, goal(), profiles(properties=properties))
    exporter.change("update warehouse.profile set permission_level = 1 where email = 'p1@example.com'")
    exporter.hold([opened(1), opened(2, person=2)])
    assert exporter.counters() == EventCounters(events_in_window=2, events_without_consent=1, events_written=1)


def test_events_of_profiles_without_consent_stay(tmp_path: Path) -> None:
    """Events of a profile that has not consented to an objective of the connection are counted and not exported."""
    objectives = [{"name": "news", "zones": ["GDPR"]}]
    declared = profiles(zones={"GDPR": "opt_in"}, objectives=objectives)
    exporter = EventExporter(tmp_path, goal(), declared, ("news",))
    exporter.change("update warehouse.profile set privacy_legislation = 'GDPR'")
    exporter.change("update warehouse.profile set consented_objectives = ['news'] where email = 'p1@example.com'")
    exporter.hold([opened(1), opened(2, person=2)])
    counters = EventCounters(events_in_window=2, events_without_consent=1, events_written=1)
    assert exporter.counters() == counters
    assert exporter.ids() == {"esp_20261128130000.csv": ["o1"]}


def test_an_event_that_no_file_can_hold_is_looked_at_again(tmp_path: Path) -> None:
    """It goes to the quarantine by type and id, and stays there until it can be delivered; the others are delivered."""
    exporter = EventExporter(tmp_path, goal())
    exporter.hold([opened(1, campaign="a\0b"), opened(2)])
    ends = EventCounters(events_in_window=2, events_not_deliverable=1, events_written=1)
    report = exporter.run()
    assert (report.counters, report.reasons) == (ends, (("campaign: holds a NUL byte", 1),))
    assert exporter.counters(days=1) == EventCounters(events_in_window=1, events_not_deliverable=1)
    quarantined = exporter.rows("select raw, field, reason, kind from warehouse.quarantine where run_id = 'run2'")
    assert quarantined == [("opened o1", "campaign", "holds a NUL byte", "events_not_deliverable")]

    exporter.change("update warehouse.event_opened set campaign = 'ab' where event_id = 'o1'")
    assert exporter.counters(days=1) == EventCounters(events_in_window=1, events_written=1)
    assert exporter.counters(days=1) == EventCounters()


def test_the_report_has_ten_reasons_and_the_others_as_one(tmp_path: Path) -> None:
    """What is less frequent than the first ten reasons is counted together."""
    columns = [{"field": f"column {number:02}", "event": "campaign"} for number in range(12)]
    exporter = EventExporter(tmp_path, goal(map=columns))
    exporter.hold([opened(1, campaign="a\0b")])
    reasons = exporter.run().reasons
    assert reasons[9:] == (("column 09: holds a NUL byte", 1), ("other reasons; see the quarantine", 2))


AWKWARD = [
    "plain",
    'say "hi"',
    "a,b;c\td",
    "line\r\nbreak\n",
    " spaced ",
    "=1+1",
    "\ufeffmark",
    "{}[]\\u0000",
    "Jürgen 😀",
    "",
]


def test_nested_lists_are_json(tmp_path: Path) -> None:
    """A nested list is a JSON array of objects, exact to the digit, without what an item has no value of."""
    columns = [{"field": "id", "event_id": True}, {"field": "products", "event": "products"}]
    exporter = EventExporter(tmp_path, goal(map=columns, events=["order"], format={"quote": "all"}))
    item = {"sku": None, "name": None, "price": None, "pieces": None, "due": None, "gift": None}
    first = item | {"sku": "1", "price": Decimal("12345678901234.5678"), "pieces": 2**63 - 1, "gift": False}
    dated = item | {"due": datetime(2026, 2, 28, tzinfo=UTC).date()}
    exporter.hold([order("full", products=[first, *(item | {"name": name} for name in AWKWARD), dated])], "order")
    exporter.hold([order("none", NOON + SECOND), order("empty", NOON + 2 * SECOND, products=[])], "order")
    exporter.run()
    (rows,) = exporter.delivered().values()
    full, none, empty = (row["products"] for row in rows)
    exact = '{"sku":"1","price":12345678901234.5678,"pieces":9223372036854775807,"gift":false}'
    assert full.startswith(f"[{exact},")
    assert json.loads(full)[1:] == [*({"name": name} for name in AWKWARD), {"due": "2026-02-28"}]
    assert (none, empty) == ("", "[]")


def test_items_as_rows(tmp_path: Path) -> None:
    """With `rows: items` each item is a row beside its event's values; an event without items is counted as such."""
    columns = [
        {"field": "id", "event_id": True},
        {"field": "sku", "item": "sku"},
        {"field": "price", "item": "price"},
        {"field": "total", "event": "total"},
        {"field": "key", "unique_key": True},
    ]
    exporter = EventExporter(tmp_path, goal(map=columns, events=["order"], rows="items", items="products"))
    item = {"name": None, "pieces": None, "due": None, "gift": None}
    products = [item | {"sku": name, "price": Decimal(1)} for name in AWKWARD]
    exporter.hold([order("full", total=Decimal("2.5"), products=products), order("empty", products=[])], "order")
    exporter.hold([order("none")], "order")
    report = exporter.run()
    assert report.counters == EventCounters(events_in_window=3, events_without_items=2, events_written=1)
    (rows,) = exporter.delivered().values()
    assert [row["sku"] for row in rows] == AWKWARD
    assert {(row["id"], row["price"], row["total"], len(row["key"])) for row in rows} == {
        ("full", "1.0000", "2.5000", 32)
    }

    changed = [*products[:-1], item | {"sku": "last", "price": Decimal(3)}]
    exporter.hold([order("full", total=Decimal("2.5"), products=changed)], "order")
    assert exporter.run(days=1).files[0][2] == len(AWKWARD)
    (rows,) = exporter.delivered().values()
    assert len(rows) == len(AWKWARD)


def test_an_item_that_no_file_can_hold_keeps_its_event(tmp_path: Path) -> None:
    """One item with such a value keeps all of its event from being delivered."""
    columns = [{"field": "id", "event_id": True}, {"field": "sku", "item": "sku"}]
    declared = goal(map=columns, events=["order"], rows="items", items="products")
    exporter = EventExporter(tmp_path, declared)
    item = {"name": None, "price": None, "pieces": None, "due": None, "gift": None}
    exporter.hold([order("bad", products=[item | {"sku": "a"}, item | {"sku": "b\0"}])], "order")
    assert exporter.counters() == EventCounters(events_in_window=1, events_not_deliverable=1)
    columns[1] = {"field": "items", "event": "products"}
    exporter.goal = goal(map=columns, events=["order"])
    report = exporter.run(days=1)
    assert report.reasons == (("items: sku: holds a NUL byte", 1),)


def test_empty_files(tmp_path: Path) -> None:
    """With `write_empty` a run without new events writes a header, and each day without events has a file."""
    exporter = EventExporter(tmp_path, goal(write_empty=True))
    assert (exporter.run().files[0][2], list(exporter.delivered())) == (0, ["esp_20261128130000.csv"])

    daily = EventExporter(tmp_path / "daily", goal(**DAILY, write_empty=True))
    daily.hold([opened(1)])
    daily.run(days=1)
    assert daily.ids() == {"esp_20261128.csv": ["o1"]}
    daily.run(days=3)
    assert daily.ids() == {f"esp_202611{day}.csv": [] for day in (29, 30)} | {"esp_20261201.csv": []}
    assert daily.run().files == ()


def test_a_property_that_a_type_lacks_is_empty(tmp_path: Path) -> None:
    """Rows of several types have empty cells for what their type has no property of; text and key are of each."""
    columns = [
        {"field": "url", "event": "url"},
        {"field": "tags", "event": "tags"},
        {"field": "at", "happened_at": True},
        {"field": "who", "profile_id": True},
        {"field": "from", "text": "cdp"},
    ]
    exporter = EventExporter(tmp_path, goal(map=columns, format={"multi_value": "|"}))
    exporter.hold([opened(1, url="https://example.com/a,b")])
    exporter.hold([order(at=NOON + SECOND, tags=["a", "b"])], "order")
    exporter.run()
    (rows,) = exporter.delivered().values()
    who = {"who": str(UUID(int=1)), "from": "cdp"}
    assert rows == [
        {"url": "https://example.com/a,b", "tags": "", "at": "2026-11-28T12:00:00+00:00", **who},
        {"url": "", "tags": "a|b", "at": "2026-11-28T12:00:01+00:00", **who},
    ]


def test_the_unique_key_stays(tmp_path: Path) -> None:
    """A later delivery of an event has the same key; another event, also one with the same id, has another."""
    columns = [{"field": "key", "unique_key": True}, {"field": "campaign", "event": "campaign"}]
    exporter = EventExporter(tmp_path, goal(map=columns))
    exporter.hold([opened(1)])
    exporter.hold([order("o1")], "order")
    exporter.run()
    (rows,) = exporter.delivered().values()
    assert len({row["key"] for row in rows}) == 2
    exporter.hold([opened(1, campaign="new")])
    exporter.run(days=1)
    ((again,),) = exporter.delivered().values()
    assert again["key"] == next(row["key"] for row in rows if row["campaign"] == "c1")


def test_rollups_and_segments_over_events(tmp_path: Path) -> None:
    """A column can hold a rollup of the event's profile, and a segment can ask for its events."""
    keen = {"name": "keen", "when": {"event": "opened", "at_least": 2}}
    declared = profiles(segments=[keen], rollups=[{"name": "opens", "event": "opened", "count": True}])
    columns = [{"field": "id", "event_id": True}, {"field": "opens", "property": "opens"}]
    exporter = EventExporter(tmp_path, goal(map=columns, segment="keen"), declared)
    exporter.hold([opened(1), opened(2, NOON + SECOND), opened(3, person=2)])
    assert exporter.counters() == EventCounters(events_in_window=2, events_written=2)
    (rows,) = exporter.delivered().values()
    assert rows == [{"id": "o1", "opens": "2"}, {"id": "o2", "opens": "2"}]


def test_a_renamed_goal_goes_on(tmp_path: Path) -> None:
    """A goal that declares its former name delivers nothing again, also after it ran under both names."""
    exporter = EventExporter(tmp_path, goal())
    exporter.hold([opened(1)])
    exporter.run()
    exporter.goal = goal(name="mails", file={"name": "esp.csv"})
    exporter.run(days=1)
    exporter.hold([opened(2)])
    assert adopt(exporter.warehouse, ("shop", "mails"), (None, "esp"))
    assert exporter.rows("select count(*), count(distinct event_hash) from warehouse.exported_event") == [(1, 1)]
    assert exporter.rows("select event_type, count(*) from warehouse.exported_until group by all order by all") == [
        ("opened", 1),
        ("order", 1),
    ]
    assert exporter.counters(days=1) == EventCounters(events_in_window=1, events_written=1)


def test_events_have_other_names_by_type_and_by_value(tmp_path: Path) -> None:
    """A column of names has that of the type, or of a value; an event whose value has none is not delivered."""
    names = {"opened": "Open", "order": {"property": "campaign", "names": {"x": "Small order", "y": "Large order"}}}
    columns = [{"field": "id", "event_id": True}, {"field": "event", "event_type": names}]
    exporter = EventExporter(tmp_path, goal(map=columns))
    exporter.hold([opened(1)])
    exporter.hold([order("a", campaign="x"), order("b", campaign="y"), order("c", campaign="z"), order("d")], "order")
    assert exporter.counters() == EventCounters(events_in_window=5, events_not_deliverable=2, events_written=3)
    (rows,) = exporter.delivered().values()
    assert {row["id"]: row["event"] for row in rows} == {"o1": "Open", "a": "Small order", "b": "Large order"}
    reasons = exporter.rows("select field, reason, raw from warehouse.quarantine order by raw")
    assert reasons == [("event", "has no name in the declared ones", f"order {name}") for name in "cd"]


def test_a_column_can_be_of_some_types_only(tmp_path: Path) -> None:
    """With `types` a column is empty for all other events; with `optional` also where nothing has the property."""
    columns = [
        {"field": "id", "event_id": True},
        {"field": "campaign", "event": "campaign", "types": ["order"]},
        {"field": "run", "event": "run", "optional": True},
    ]
    exporter = EventExporter(tmp_path, goal(map=columns))
    exporter.hold([opened(1)])
    exporter.hold([order("a", campaign="x")], "order")
    exporter.run()
    (rows,) = exporter.delivered().values()
    assert sorted(tuple(row.values()) for row in rows) == [("a", "x", ""), ("o1", "", "")]


def test_a_column_can_be_of_events_of_some_names_only(tmp_path: Path) -> None:
    """With `named` a column is empty for all events of other names, also where one type has several."""
    names = {"opened": "Open", "order": {"property": "campaign", "names": {"x": "Small order", "y": "Large order"}}}
    columns = [
        {"field": "id", "event_id": True},
        {"field": "event", "event_type": names},
        {"field": "total", "event": "total", "named": ["Large order"]},
        {"field": "url", "event": "url", "named": ["Open"]},
    ]
    exporter = EventExporter(tmp_path, goal(map=columns))
    exporter.hold([opened(1, url="u")])
    orders = [order("a", campaign="x", total=Decimal(1)), order("b", campaign="y", total=Decimal(2))]
    exporter.hold(orders, "order")
    exporter.run()
    (rows,) = exporter.delivered().values()
    found = {row["id"]: (row["total"], row["url"]) for row in rows}
    assert found == {"o1": ("", "u"), "a": ("", ""), "b": ("2.0000", "")}


def test_an_event_without_a_required_value_is_not_delivered(tmp_path: Path) -> None:
    """It is counted, and delivered when its profile has the value."""
    columns = [{"field": "id", "event_id": True}, {"field": "email", "property": "email", "required": True}]
    exporter = EventExporter(tmp_path, goal(map=columns))
    exporter.change("update warehouse.profile set email = null where not keen")
    exporter.hold([opened(1), opened(2, person=2)])
    assert exporter.counters() == EventCounters(events_in_window=2, events_not_deliverable=1, events_written=1)
    assert exporter.rows("select field, reason from warehouse.quarantine") == [
        ("email", "has no value, and the file needs one")
    ]
    exporter.delivered()
    exporter.change("update warehouse.profile set email = 'p2@example.com' where not keen")
    exporter.run(days=1)
    assert list(exporter.ids().values()) == [["o2"]]


def test_a_column_has_the_time_of_the_last_change(tmp_path: Path) -> None:
    """The time at which the event was written last, in UTC."""
    exporter = EventExporter(
        tmp_path, goal(map=[{"field": "id", "event_id": True}, {"field": "at", "written_at": True}])
    )
    exporter.hold([opened(1) | {"_written_at": MIDNIGHT}])
    exporter.run()
    ((row,),) = exporter.delivered().values()
    assert row["at"] == "2026-11-28T00:00:00+00:00"
