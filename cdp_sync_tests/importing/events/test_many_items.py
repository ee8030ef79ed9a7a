"""A million items in one order: they land, and the memory of the import is bounded."""

import resource
from pathlib import Path

import pytest

from cdp_sync.importing.pipeline import import_files
from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.events.event_side import EventSide
from cdp_sync_tests.trail import victim

SHOP = Profiles(
    properties=[{"name": "number", "identifier": True}],
    event_types=[
        {
            "name": "order",
            "properties": [
                {
                    "name": "products",
                    "items": [{"name": "id", "identifier": True}, {"name": "price", "type": "decimal"}],
                }
            ],
        }
    ],
)
LINES = FileGoal(
    name="lines",
    events=[
        {
            "type": "order",
            "id": "Id",
            "items": {"products": {"id": "Sku", "map": [{"field": "P", "property": "price"}]}},
        }
    ],
)
ITEMS = 1_000_000


def write_lines(file: Path) -> None:
    """Write the lines of two orders: one has a million, the other one."""
    with file.open("w", encoding="utf-8") as written:
        written.write("Id,Sku,P\n")
        written.writelines(f"big,s{number},1.5\n" for number in range(ITEMS))
        written.write("small,s1,2\n")


def import_lines(side: EventSide, file: Path) -> None:
    """Import the lines, and write down the memory that this process used at most."""
    side.runs += 1
    import_files(side.import_run(LINES), side.arrived([("/l.csv", file.read_bytes())]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (side.folder / "peak").write_text(str(peak), encoding="utf-8")


@pytest.mark.slow
def test_a_million_items_in_one_order(tmp_path: Path) -> None:
    """All items of the order are there, in less than 1 GiB; one more is added."""
    side, file = EventSide(tmp_path, SHOP), tmp_path / "lines.csv"
    write_lines(file)
    assert victim.exit_code(victim.start(import_lines, side, file), 250) == 0
    assert int((tmp_path / "peak").read_text(encoding="utf-8")) < 1024 * 1024
    query = """
        select event_id, len(products), list_sum(list_transform(products, lambda item: item.price))
        from warehouse.event_order"""
    assert sorted(side.rows(query)) == [("big", ITEMS, 1.5 * ITEMS), ("small", 1, 2)]
    side.runs += 1
    report = side.run(LINES, [("/more.csv", "Id,Sku,P\nbig,s0,1.5\nbig,more,1\n")])
    assert (report.counters.events_updated, report.counters.events_waiting) == (1, 1)
    assert sorted(side.rows(query)) == [("big", ITEMS + 1, 1.5 * ITEMS + 1), ("small", 1, 2)]
