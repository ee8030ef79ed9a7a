"""Chains of a thousand, stars, and values of thousands: in one run and in many."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_sync.model import FileGoal, ImportReport, Profiles
from cdp_sync_tests.merging.merge_side import MergeSide

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

PEOPLE = Profiles(
    properties=[
        {"name": "number", "identifier": True},
        {"name": "emails", "identifier": True, "multiple": True},
        {"name": "total", "type": "number", "merge": "sum"},
    ],
    merge_rules=[{"property": "emails"}],
)
GOAL = FileGoal(
    name="people",
    format={"multi_value": "|"},
    link=[{"field": "Number", "property": "number"}],
    map=[
        {"field": "Email", "property": "emails", "mode": "add"},
        {"field": "Total", "property": "total", "mode": "sum"},
    ],
)


@pytest.fixture
def side(tmp_path: Path) -> MergeSide:
    """The product with an empty warehouse."""
    return MergeSide(tmp_path, PEOPLE)


def deliver(side: MergeSide, path: str, rows: list[str]) -> ImportReport:
    """Import a file."""
    return side.deliver(GOAL, [(path, "\n".join(["Number,Email,Total", *rows, ""]).encode(), NOON)])


def totals(side: MergeSide) -> dict[int, int]:
    """Return how many live profiles show which sum."""
    query = "select total, count(*) from warehouse.live_profile group by all"
    return {int(total): count for total, count in side.rows(query)}


def chain(first: int, last: int) -> list[str]:
    """Return rows each of which shares an address with the next."""
    return [f"n{n},mail{n}@x|mail{n + 1}@x,1" for n in range(first, last)]


@pytest.mark.parametrize("parts", [1, 2, 4], ids=["one run", "two runs", "four runs"])
def test_a_chain_of_a_thousand(parts: int, side: MergeSide) -> None:
    """A thousand profiles in a row become one; without the one in the middle, two."""
    size = 1000 // parts
    for part in range(parts):
        deliver(side, f"/{part}.csv", chain(part * size, (part + 1) * size))
    assert totals(side) == {1000: 1}
    done = side.unmerge("n400")
    assert sorted(totals(side)) == [1, 400, 599]
    assert (done.merged, done.unmerged) == (0, 2)


def test_a_chain_that_grows_at_its_end(side: MergeSide) -> None:
    """One more profile at the end of a long chain joins it, and survives it as the newest."""
    deliver(side, "/1.csv", chain(0, 900))
    assert deliver(side, "/2.csv", chain(900, 901)).counters.profiles_merged == 1
    assert totals(side) == {901: 1}
    assert side.rows("select number from warehouse.live_profile") == [("n900",)]


def test_a_chain_that_closes_in_the_middle(side: MergeSide) -> None:
    """The last file joins two long chains by their middle."""
    deliver(side, "/1.csv", [f"{row}" for row in chain(0, 400)] + chain(500, 900))
    assert totals(side) == {400: 2}
    deliver(side, "/2.csv", ["n200,between@x,0", "n700,between@x,0"])
    assert totals(side) == {800: 1}


def test_a_star_of_a_thousand(side: MergeSide) -> None:
    """One with a thousand addresses is one with the thousand profiles that have these; one more is too many."""
    leaves = [f"n{n},mail{n}@x,1" for n in range(1001)]
    deliver(side, "/1.csv", leaves[:1000])
    deliver(side, "/2.csv", [f"hub,{'|'.join(f'mail{n}@x' for n in range(1000))},1"])
    assert totals(side) == {1001: 1}
    deliver(side, "/3.csv", ["n1000,mail1000@x,1", "hub,mail1000@x,0"])
    assert totals(side) == {1: 1002}


@pytest.mark.parametrize("at_once", [True, False], ids=["one run", "the center later"])
def test_a_star_of_ten_thousand(side: MergeSide, *, at_once: bool) -> None:
    """One with ten thousand addresses of others is too many: nobody is merged, and that is reported."""
    leaves = [f"n{n},mail{n}@x,1" for n in range(10_000)]
    center = f"hub,{'|'.join(f'mail{n}@x' for n in range(10_000))},1"
    for number, rows in enumerate([[*leaves, center]] if at_once else [leaves, [center]]):
        deliver(side, f"/{number}.csv", rows)
    assert totals(side) == {1: 10_001}
    assert {each.guard for each in side.apply_rules(preview=True).blocked} == {"too many merges"}
    deliver(side, "/more.csv", ["n10001,pair@x,1", "n10002,pair@x,1"])
    assert totals(side) == {1: 10_001, 2: 1}


def test_a_value_of_thousands(side: MergeSide) -> None:
    """A value that five thousand profiles have merges none of them, in whatever portions they come."""
    rows = [f"n{n},info@x|pair{n // 2}@x,1" for n in range(5000)]
    for number, portion in enumerate((rows[:4], rows[4:20], rows[20:22], rows[22:])):
        deliver(side, f"/{number}.csv", portion)
    assert totals(side) == {2: 2500}


def test_many_pairs_with_many_files(side: MergeSide) -> None:
    """Five thousand pairs that come one side after the other."""
    deliver(side, "/1.csv", [f"n{n},mail{n}@x,1" for n in range(5000)])
    report = deliver(side, "/2.csv", [f"m{n},mail{n}@x,2" for n in range(5000)])
    assert report.counters.profiles_merged == 5000
    assert totals(side) == {3: 5000}
