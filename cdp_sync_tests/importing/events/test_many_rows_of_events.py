"""Events of many rows, read in parallel: the last row wins, and items keep their order of arrival."""

import random
from pathlib import Path

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
