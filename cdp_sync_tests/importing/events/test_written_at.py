"""When events were written: what exports ask for to find new ones."""

from pathlib import Path

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.events.event_side import EventSide

SHOP = Profiles(properties=[{"name": "number", "identifier": True}], event_types=["order"])
ORDERS = FileGoal(
    name="orders",
    link=[{"field": "Number", "property": "number"}],
    events=[{"type": "order", "id": "Id", "time": "At", "map": [{"field": "C", "property": "coupon"}]}],
)


def test_events_are_written_later_than_all_before_also_after_the_clock_was_set_back(tmp_path: Path) -> None:
    """New and changed events are later than the latest of former runs; unchanged ones keep their time."""
    shop = EventSide(tmp_path, SHOP)
    shop.run(ORDERS, [("/a.csv", "Number,Id,At,C\n1,a,2026-01-01,x\n1,b,2026-01-01,x\n")])
    with shop.warehouse.open("write") as session:
        session.execute("update warehouse.event_order set _written_at = timestamptz '2999-01-01 00:00:00+00'")
    shop.run(ORDERS, [("/b.csv", "Number,Id,At,C\n1,a,2026-01-01,y\n1,b,2026-01-01,x\n1,c,2026-01-01,x\n")])
    later = "select event_id, _written_at > timestamptz '2999-01-01 00:00:00+00' from warehouse.event_order order by 1"
    assert shop.rows(later) == [("a", True), ("b", False), ("c", True)]
