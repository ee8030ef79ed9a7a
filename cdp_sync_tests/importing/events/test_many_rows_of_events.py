"""Events of many rows, read in parallel: the last row wins, and items keep their order of arrival."""

import random
from pathlib import Path

import pytest

from cdp_sync.importing.events import portions
from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.events.event_side import EventSide, by_id

SHOP = Profiles(
    properties=[{"name": "number", "identifier": True}],
    event_types=[
        {
            "name": "order",
            "properties": [
                {"name": "status"},
                {
                    "name": "products",
                    "items": [{"name": "id", "identifier": True}, {"name": "price", "type": "number"}],
                },
            ],
        }
    ],
)
GOAL = FileGoal(
    name="orders",
    link=[{"field": "Number", "property": "number"}],
    events=[
        {
            "type": "order",
            "id": "Id",
            "time": "At",
            "map": [{"field": "Status", "property": "status"}],
            "items": {"products": {"id": "Sku", "map": [{"field": "Price", "property": "price"}]}},
        }
    ],
)
ROWS = 150_000


def test_order_of_rows_decides(tmp_path: Path) -> None:
    """Of 150,000 rows for 500 events, the last one says person, time, status and prices; items stand as they came."""
    chance = random.Random(SEED)
    side = EventSide(tmp_path, SHOP)
    expected: dict[str, list] = {}  # type: ignore[type-arg]
    for run in range(2):
        lines = ["Number,Id,At,Status,Sku,Price"]
        for number in range(ROWS if not run else ROWS // 10):
            order, sku = f"o{chance.randrange(500)}", f"s{chance.randrange(40)}"
            person, day, status = f"p{chance.randrange(99)}", chance.randint(10, 28), chance.choice(("", "new", "paid"))
            lines.append(f"{person},{order},2024-05-{day},{status},{sku},{number}")
            held = expected.setdefault(order, [None, None, None, {}])
            held[:3] = person, day, status or held[2]
            held[3][sku] = number
        report = side.run(GOAL, [(f"/{run}.csv", "\n".join([*lines, ""]))])
        assert report.counters.rows_applied == len(lines) - 1
    found = by_id(side.events("order"))
    assert {
        name: [each["_person"], each["happened_at"].day, each["status"], [tuple(x.values()) for x in each["products"]]]
        for name, each in found.items()
    } == {name: [*held[:3], list(held[3].items())] for name, held in expected.items()}


LINES = FileGoal(
    name="lines",
    events=[
        {
            "type": "order",
            "id": "Id",
            "items": {"products": {"id": "Sku", "map": [{"field": "Price", "property": "price"}]}},
        }
    ],
)


def test_rows_of_some_events_are_far_from_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are folded in portions; an order whose lines are in several of them is one event with all its items."""
    monkeypatch.setattr(portions, "_PORTION", 500)
    monkeypatch.setattr(portions, "_SCATTERED", 90)
    side, rows = EventSide(tmp_path, SHOP), [(f"o{number // 3}", f"s{number % 3}") for number in range(3_000)]
    rows += [(f"o{number}", f"late{number}") for number in range(0, 900, 9)]
    rows.insert(700, ("o999", "early"))
    lines = "".join(f"{order},{sku},{number}\n" for number, (order, sku) in enumerate(rows))
    report = side.run(LINES, [("/lines.csv", f"Id,Sku,Price\n{lines}")])
    assert (report.counters.events_created, report.counters.rows_applied) == (1_000, len(rows))
    expected: dict[str, list[tuple[str, int]]] = {}
    for number, (order, sku) in enumerate(rows):
        expected.setdefault(order, []).append((sku, number))
    found = side.rows("select event_id, list_transform(products, lambda x: (x.id, x.price)) from warehouse.event_order")
    assert dict(found) == expected


def test_a_former_line_comes_again(tmp_path: Path) -> None:
    """The ledger forgets lines that a file no longer holds: a price that returns counts again."""
    side = EventSide(tmp_path, SHOP)
    for price in (1, 2, 1):
        report = side.run(LINES, [("/lines.csv", f"Id,Sku,Price\no1,s1,{price}\no1,s2,5\n")])
        assert side.rows("select products[1].price from warehouse.event_order") == [(price,)]
    assert (report.counters.rows_applied, report.counters.rows_unchanged) == (1, 1)
    assert side.rows("select count(*) from warehouse.imported_row") == [(2,)]
