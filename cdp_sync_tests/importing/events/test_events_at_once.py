"""Two runs at once that import the same events: every event is there once, with what both say."""

from pathlib import Path

import pytest

from cdp_sync.importing.pipeline import link_identifiers, parse_files, upsert_profiles
from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.events.event_side import EventSide, by_id
from cdp_sync_tests.trail import victim

SHOP = Profiles(
    properties=[{"name": "number", "identifier": True}],
    event_types=["order", {"name": "visit", "properties": [{"name": "page"}]}],
)
LINK = [{"field": "Number", "property": "number"}]
ORDERS = FileGoal(
    name="orders",
    link=LINK,
    events=[{"type": "order", "id": "Id", "time": "At", "map": [{"field": "C", "property": "coupon"}]}],
)
LINES = FileGoal(
    name="lines",
    events=[
        {
            "type": "order",
            "id": "Id",
            "items": {"products": {"id": "Sku", "map": [{"field": "P", "property": "netprice"}]}},
        }
    ],
)
VISITS = FileGoal(
    name="visits", link=LINK, events=[{"type": "visit", "time": "At", "map": [{"field": "Page", "property": "page"}]}]
)
COUNT = 40
FILES = {
    "orders": "Number,Id,At,C\n" + "".join(f"p{n % 7},o{n},2024-05-01,c{n}\n" for n in range(1, COUNT)),
    "lines": "Id,Sku,P\n" + "".join(f"o{n},s{m},1.5\n" for n in range(1, COUNT) for m in range(3)),
    "visits": "Number,At,Page\n" + "".join(f"p{n % 7},2024-05-01,/{n}\n" for n in range(1, COUNT)),
}
GOALS = {goal.name: goal for goal in (ORDERS, LINES, VISITS)}


def import_at_once(side: EventSide, goal: str, path: str) -> None:
    """Import a file in a process of its own."""
    assert side.run(GOALS[goal], [(path, FILES[goal])]).state == "success"


def side_of(folder: Path, run: int) -> EventSide:
    """Return the product for one of the processes."""
    side = EventSide(folder, SHOP)
    side.runs = run
    return side


def interrupted(folder: Path, mine: str, other: str) -> EventSide:
    """Import a file whose rows are linked before another process imports another."""
    side = side_of(folder, 1)
    side.run(VISITS, [("/nobody.csv", "Number,At,Page\n")])
    side.runs = 2
    run = side.import_run(GOALS[mine])
    parse_files(run, side.arrived([("/mine.csv", FILES[mine])]))
    link_identifiers(run)
    assert victim.exit_code(victim.start(import_at_once, side_of(folder, 10), other, "/other.csv")) == 0
    assert upsert_profiles(run).state == "success"
    return side


@pytest.mark.parametrize(("mine", "other"), [("orders", "lines"), ("lines", "orders"), ("orders", "orders")])
def test_both_linked_before_either_writes(mine: str, other: str, tmp_path: Path) -> None:
    """An event that another run creates after the link step is updated, not created twice."""
    check(interrupted(tmp_path, mine, other), items=3 if mine != other else None)


def test_events_without_an_id_are_not_doubled(tmp_path: Path) -> None:
    """An event without an id that both runs import is there once."""
    side = interrupted(tmp_path, "visits", "visits")
    assert len(side.events("visit")) == COUNT - 1


def test_three_processes_at_once(tmp_path: Path) -> None:
    """Orders and lines from three processes at once: each event is there once, with its person, time and items."""
    side = side_of(tmp_path, 1)
    side.run(VISITS, [("/nobody.csv", "Number,At,Page\n")])
    work = (("orders", "/a.csv"), ("lines", "/b.csv"), ("orders", "/c.csv"))
    started = [
        victim.start(import_at_once, side_of(tmp_path, 10 * number), goal, path)
        for number, (goal, path) in enumerate(work, start=1)
    ]
    assert [victim.exit_code(process) for process in started] == [0, 0, 0]
    check(side, items=3)


def check(side: EventSide, items: int | None) -> None:
    """Compare the orders with the files."""
    found = by_id(side.events("order"))
    assert {name: (each["_person"], each["coupon"], len(each["products"] or [])) for name, each in found.items()} == {
        f"o{n}": (f"p{n % 7}", f"c{n}", items or 0) for n in range(1, COUNT)
    }
