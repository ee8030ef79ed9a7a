"""The import of events agrees with a second implementation on generated histories."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import COUNTERS, FileGoal, ImportReport, Profiles
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.events import event_oracle
from cdp_sync_tests.importing.events.event_histories import PROPERTIES, TYPES, EventRun, history
from cdp_sync_tests.importing.events.event_oracle import Event, Key, World
from cdp_sync_tests.importing.events.event_side import EventSide, counted, fold, plain

DECLARED = Profiles(properties=PROPERTIES, event_types=TYPES)
BY_NAME = {each["name"]: each for each in TYPES}


@pytest.mark.parametrize("number", range(24))
def test_imported_events_agree_with_the_oracle(number: int, tmp_path: Path) -> None:
    """After every run, both have the same events, profiles, counters and quarantine."""
    print(f"CDP_SYNC_SEED={SEED}, history {number}")
    world, product = World(), EventSide(tmp_path, DECLARED)
    for run in history(random.Random(f"{SEED} {number}")):
        print(run)
        deliver_to_both(world, product, run)


def deliver_to_both(world: World, product: EventSide, run: EventRun) -> None:
    """Import the files with both and compare all results."""
    expected = event_oracle.import_files(world, run.goal, BY_NAME, run.files)
    report = product.run(FileGoal(**run.goal, format={"multi_value": "|"}), run.files)
    assert all(file.counters.add_up for file in report.files)
    assert {kind: found(product, kind) for kind in BY_NAME} == {kind: held(world, kind) for kind in BY_NAME}
    assert people(product) == world.people
    assert counted(report) == {path: +counters for path, counters in expected.counters.items()}
    check_history(product, report)
    entries = product.quarantine(f"run{product.runs}")
    assert Counter((entry.path, entry.line, entry.field) for entry in entries) == expected.quarantine


def check_history(product: EventSide, report: ImportReport) -> None:
    """Compare the counters of events in the warehouse with those of the report."""
    names = [name for name in COUNTERS if name.startswith("events_")]
    listed = ", ".join(f"coalesce({name}, 0)" for name in names)
    for table, reported in (
        ("run", [report]),
        ("imported_file", [each for each in report.files if each.state == "imported"]),
    ):
        rows = product.rows(f"select {listed} from warehouse.{table} where run_id = ?", [f"run{product.runs}"])
        assert rows == [tuple(getattr(each.counters, name) for name in names) for each in reported]


def found(product: EventSide, kind: str) -> list[Any]:
    """Return the events of a type in the warehouse, with the ids of orders."""
    return sorted([(*_id(kind, event["event_id"]), *plain(event)) for event in product.events(kind)], key=repr)


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


def people(product: EventSide) -> dict[str, dict[str, Any]]:
    """Return the profiles by number."""
    return {each["number"]: {k: fold(v) for k, v in each.items() if v and k != "number"} for each in product.profiles()}
