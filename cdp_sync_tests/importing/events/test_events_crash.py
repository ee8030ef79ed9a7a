"""An import of events that is killed at any statement, and run again, ends as if nothing had happened."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.importing.pipeline import import_files
from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.events.event_histories import PROPERTIES, TYPES
from cdp_sync_tests.importing.events.event_side import EventSide, plain
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import state_of
from cdp_sync_tests.trail.test_crash import counting_statements

DECLARED = Profiles(properties=PROPERTIES, event_types=TYPES)
GOAL = FileGoal(
    name="whole",
    link=[{"field": "Number", "property": "number"}],
    map=[{"field": "Name", "property": "first_name"}],
    events=[
        {
            "type": "order",
            "id": "Id",
            "time": "At",
            "map": [{"field": "Group", "property": "group"}],
            "items": {"products": {"id": "Sku", "map": [{"field": "Price", "property": "price"}]}},
        },
        {"type": "visit", "time": "At", "map": [{"field": "Page", "property": "page"}]},
    ],
)
HEADER = "Number,Name,Id,At,Group,Sku,Price,Page\n"
FIRST = [
    ("/a.csv", HEADER + "n1,Ann,o1,2024-05-01,1,s1,1.5,/\nn1,Ann,o1,2024-05-01,1,s2,2,/\nn2,Bob,o2,2024-05-02,,,,\n")
]
SECOND = [
    ("/a.csv", HEADER + "n1,Ann,o1,2024-05-01,1,s1,1.5,/\nn1,Ann,o1,2024-05-03,1,s2,3,/\nn2,Bob,o2,2024-05-02,,,,\n"),
    (
        "/b.csv",
        HEADER
        + "n3,Cid,o3,2024-05-01,x,s1,1,/a\nn1,Ann,o2,soon,,,,\n,,o4,2024-05-01,,,,\nn2,Bob,o2,2024-05-02,,s9,,/b\n",
    ),
]
"""Changed rows, new people and events, an order that another person claims, and cells that cannot land."""

POINTS = 6
"""Kills between the first statement that writes to the warehouse and the last."""


@dataclass(frozen=True)
class Undisturbed:
    """An import of both deliveries without a kill."""

    seed: Path
    before: dict[str, Any]
    after: dict[str, Any]
    landing: range
    """The numbers of the statements from the beginning of the landing transaction to its commit."""

    def begin(self, folder: Path) -> EventSide:
        """Return the product in another folder after the first delivery."""
        side = EventSide(folder, DECLARED)
        side.runs = 1
        shutil.copy(self.seed, side.warehouse.path)
        return side


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Import both deliveries without a kill."""
    side = EventSide(tmp_path_factory.mktemp("undisturbed"), DECLARED)
    side.run(GOAL, FIRST)
    seed, before = side.folder / "seed.duckdb", state(side)
    shutil.copy(side.warehouse.path, seed)
    with counting_statements() as seen:
        side.run(GOAL, SECOND)
    last = max(number for number, sql in enumerate(seen, start=1) if sql == "commit")
    first = max(number for number, sql in enumerate(seen, start=1) if sql == "begin" and number < last)
    return Undisturbed(seed, before, state(side), range(first, last + 1))


def state(side: EventSide) -> dict[str, Any]:
    """Return the content of the warehouse without ids and times of writing."""
    every = [(kind, plain(event)) for kind in ("order", "visit") for event in side.events(kind)]
    counters = side.rows("select columns('events_.*') from warehouse.imported_file order by rowid")
    return {**state_of(side.warehouse), "events": sorted(every, key=repr), "counters of events": counters}


def work(side: EventSide, deadly: dict[str, Any]) -> None:
    """Import the second delivery in a process that kills itself."""
    side.runs += 1
    files = side.arrived(SECOND)
    victim.die_at(**deadly)
    import_files(side.import_run(GOAL), files)


def kill_and_run_again(side: EventSide, undisturbed: Undisturbed, deadly: dict[str, Any]) -> dict[str, Any]:
    """Kill an import, run it again and compare; return the state between the two."""
    assert victim.exit_code(victim.start(work, side, deadly)) == victim.KILLED
    between = state(side)
    side.runs += 1
    side.run(GOAL, SECOND)
    assert state(side) == undisturbed.after
    return between


@pytest.mark.parametrize("point", range(POINTS))
def test_killed_while_landing(point: int, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A kill at a statement of the landing transaction leaves nothing, and the next run lands everything once."""
    landing = undisturbed.landing
    number = landing[round(point * (len(landing) - 1) / (POINTS - 1))]
    between = kill_and_run_again(undisturbed.begin(tmp_path), undisturbed, {"number": number})
    assert between == undisturbed.before


def test_killed_after_the_commit(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A kill right after the commit leaves everything, and the next run changes nothing."""
    deadly = {"number": undisturbed.landing[-1], "after": True}
    between = kill_and_run_again(undisturbed.begin(tmp_path), undisturbed, deadly)
    assert between == undisturbed.after


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("table", ["event_order", "event_visit"])
def test_killed_at_a_write_to_the_tables_of_events(
    table: str, after: bool, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """A kill right before or after events are written leaves none of them."""
    deadly = {"number": 1, "only": f'insert into warehouse."{table}"', "after": after}
    assert kill_and_run_again(undisturbed.begin(tmp_path), undisturbed, deadly) == undisturbed.before


def test_killed_while_the_tables_of_events_are_made(tmp_path: Path) -> None:
    """After a kill while the first run makes the tables of events, the next run makes them and imports."""
    side = EventSide(tmp_path, DECLARED)
    deadly = {"number": 1, "only": 'create table warehouse."event_visit"'}
    assert victim.exit_code(victim.start(work, side, deadly)) == victim.KILLED
    side.runs += 1
    report = side.run(GOAL, SECOND)
    assert report.counters.events_created == len(side.events("order")) + len(side.events("visit"))
