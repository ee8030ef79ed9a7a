"""The import of events agrees with a second implementation on generated histories."""

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync.importing.events import portions
from cdp_sync.model import COUNTERS, FileGoal, ImportReport, Profiles
from cdp_sync.warehouse import Session
from cdp_sync_tests.generated import SEED, examples
from cdp_sync_tests.importing.events import event_oracle
from cdp_sync_tests.importing.events.event_histories import PROPERTIES, TYPES, EventRun, history
from cdp_sync_tests.importing.events.event_oracle import Complaint, Event, Key, World
from cdp_sync_tests.importing.events.event_side import EventSide, counted, events_in, plain

DECLARED = Profiles(properties=PROPERTIES, event_types=TYPES)
BY_NAME = {each["name"]: each for each in TYPES}


NUMBERS = st.integers(0, 2**32)


@examples(5)
@given(NUMBERS)
def test_imported_events_agree_with_the_oracle(number: int) -> None:
    """After every run, both have the same events, profiles, counters and quarantine."""
    agree(number)


@examples(2)
@given(NUMBERS)
def test_events_in_portions_agree_with_the_oracle(number: int) -> None:
    """The same where few rows with items are folded at a time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(portions, "_PORTION", 2 + number % 9)
        patched.setattr(portions, "_SCATTERED", 3)
        agree(number)


def agree(number: int) -> None:
    """Deliver a random history to both sides and compare them run by run."""
    world = World()
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        product = EventSide(Path(folder), DECLARED)
        for run in history(random.Random(f"{SEED} {number}")):
            note(str(run))
            deliver_to_both(world, product, run)


def deliver_to_both(world: World, product: EventSide, run: EventRun) -> None:
    """Import the files with both and compare all results."""
    expected = event_oracle.import_files(world, run.goal, BY_NAME, run.files)
    report = product.run(FileGoal(**run.goal, format={"multi_value": "|"}), run.files)
    assert all(file.counters.add_up for file in report.files)
    assert counted(report) == {path: +counters for path, counters in expected.counters.items()}
    with product.warehouse.open("read") as session:
        assert {kind: found(session, kind) for kind in BY_NAME} == {kind: held(world, kind) for kind in BY_NAME}
        assert people(session) == world.people
        assert quarantine(session, product.run_id) == expected.quarantine
        check_history(session, product.run_id, report)


def check_history(session: Session, run_id: str, report: ImportReport) -> None:
    """Compare the counters of events in the warehouse with those of the report."""
    names = [name for name in COUNTERS if name.startswith("events_")]
    listed = ", ".join(f"coalesce({name}, 0)" for name in names)
    imported = [file for file in report.files if file.state == "imported"]
    for table, reported in (("run", [report]), ("imported_file", imported)):
        rows = session.rows(f"select {listed} from warehouse.{table} where run_id = ?", [run_id])
        assert rows == [tuple(getattr(each.counters, name) for name in names) for each in reported]


def quarantine(session: Session, run_id: str) -> Counter[Complaint]:
    """Return the quarantine of a run as path, line and field."""
    kept = "run_id = ? and kind <> 'events_contested'"  # those land
    return Counter(session.rows(f"select path, line, field from warehouse.quarantine where {kept}", [run_id]))


def found(session: Session, kind: str) -> list[Any]:
    """Return the events of a type in the warehouse, with the ids of orders."""
    return sorted([(*_id(kind, event["event_id"]), *plain(event)) for event in events_in(session, kind)], key=repr)


def held(world: World, kind: str) -> list[Any]:
    """Return the events of a type as the oracle has them."""
    return sorted(
        [(*_id(kind, key[1]), *_plain(each)) for key, each in world.events.items() if key[0] == kind], key=repr
    )


def _id(kind: str, event_id: str) -> Key:
    return (event_id,) if kind == "order" else ()


def _plain(event: Event) -> Key:
    lists = {name: list(items.values()) for name, items in event.items.items() if items}
    return plain({"_person": event.person, "happened_at": event.happened_at, **event.values, **lists})


def people(session: Session) -> dict[str, dict[str, str]]:
    """Return the first names by number."""
    rows = session.rows("select number, first_name from warehouse.profile")
    return {number: {"first_name": name} if name else {} for number, name in rows}
