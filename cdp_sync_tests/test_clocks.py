"""Machines whose clocks are off by minutes: nothing is lost or doubled, and the time zone does not matter."""

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.importing.run import datetime as clock_of_imports
from cdp_sync.model import EventExportGoal, FileGoal, Profiles
from cdp_sync_tests.clocks import clock_off
from cdp_sync_tests.exporting.cap_side import CapSide
from cdp_sync_tests.exporting.cap_side import goal as capped_goal
from cdp_sync_tests.exporting.event_exporter import EventExporter, opened
from cdp_sync_tests.exporting.event_exporter import goal as event_goal
from cdp_sync_tests.generated import examples
from cdp_sync_tests.merging.files_out import FilesSide

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTES = st.integers(-20, 20).map(lambda minutes: timedelta(minutes=minutes))
"""By how much the clock of the machine is off that takes a step."""

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "number", "identifier": True},
            {"name": "phone", "identifier": True},
            {"name": "name"},
            {"name": "total", "type": "decimal"},
        ],
        "segments": [{"name": "everybody", "when": {"property": "number", "has_value": True}}],
        "event_types": [{"name": "order", "properties": [{"name": "sku"}]}],
    }
)
PEOPLE = FileGoal.model_validate(
    {
        "name": "people",
        "link": [{"field": "Number", "property": "number"}, {"field": "Phone", "property": "phone"}],
        "map": [{"field": "Name", "property": "name"}, {"field": "Total", "property": "total", "mode": "sum"}],
    }
)
ORDERS = FileGoal.model_validate(
    {
        "name": "orders",
        "link": [{"field": "Number", "property": "number"}],
        "events": [{"type": "order", "id": "Order", "time": "At", "map": [{"field": "Sku", "property": "sku"}]}],
    }
)
DELIVERED = EventExportGoal.model_validate(
    {
        "name": "shipped",
        "events": ["order"],
        "directory": "/outbox",
        "window": "since_last",
        "map": [{"field": "id", "event_id": True}, {"field": "number", "property": "number"}],
    }
)
ROWS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(["", "11111", "22222"]), st.sampled_from("xyz"), st.integers(0, 9)),
    min_size=1, max_size=4,
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(st.just("people"), st.integers(1, 2), ROWS),
            st.tuples(st.just("orders"), st.integers(1, 9)),
            st.tuples(st.just("export")),
        ),
        MINUTES,
    ),
    min_size=2, max_size=8,
)  # fmt: skip
"""What is done, each by a machine whose clock is off by so much."""


class Machines(FilesSide):
    """Machines that take turns with one warehouse, each with its own clock."""

    def __init__(self, folder: Path) -> None:
        """Start with an empty warehouse."""
        super().__init__(folder, PROFILES)
        self.off = timedelta()
        self.delivered: Counter[str] = Counter()

    def _next_run(self) -> dict[str, Any]:
        run = super()._next_run()
        return run | {"now": NOON + timedelta(minutes=self.runs) + self.off}

    def take(self, step: tuple[Any, ...], off: timedelta) -> None:
        """Take a step on a machine whose clock is off."""
        self.off = off
        with clock_off(off):
            self._take(step)

    def _take(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("people", number, rows):
                lines = [f"n{person},{phone},{name},{total}" for person, phone, name, total in rows]
                self._import(PEOPLE, f"/people_{number}.csv", ["Number,Phone,Name,Total", *lines])
            case ("orders", order):
                moment = (NOON + timedelta(minutes=order)).isoformat()
                self._import(
                    ORDERS, f"/order_{order}.csv", ["Number,Order,At,Sku", f"n{order % 5 + 1},o{order},{moment},a"]
                )
            case _:
                self.delivered.update(row["id"] for row in self.export_events(DELIVERED))

    def _import(self, goal: FileGoal, path: str, lines: list[str]) -> None:
        report = self.deliver(goal, [(path, "\n".join([*lines, ""]).encode(), NOON)])
        assert report.counters.add_up

    def everybody(self) -> list[tuple[Any, ...]]:
        """Return the profiles without what is different each time."""
        return self.rows("select number, phone, name, total from warehouse.profile order by all")


@pytest.mark.slow
@examples(4)
@given(STEPS)
def test_clocks_that_are_off_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[tuple[Any, ...], timedelta]]
) -> None:
    """Imports and exports by machines whose clocks are off end as those of one machine; each event arrives once."""
    folder = tmp_path_factory.mktemp("machines")
    off, right = Machines(folder / "off"), Machines(folder / "right")
    first = (("people", 1, [(number, "", "x", 1) for number in range(1, 6)]), timedelta(minutes=20))
    for step, minutes in [first, (("orders", 1), timedelta()), *steps, (("export",), timedelta(minutes=-20))]:
        off.take(step, minutes)
        right.take(step, timedelta())
    assert off.everybody() == right.everybody()
    assert off.delivered == right.delivered
    assert set(off.delivered.values()) == {1}
    shutil.rmtree(folder)


def test_the_clock_of_the_tests_is_off() -> None:
    """The modules of the product read the clock that is off, and only inside the block."""
    from cdp_sync.importing import run

    right = datetime.now(UTC)
    with clock_off(timedelta(hours=2)):
        assert timedelta(hours=1) < run.datetime.now(UTC) - right < timedelta(hours=3)
        assert isinstance(right, run.datetime)
    assert run.datetime is clock_of_imports is datetime


@pytest.mark.parametrize("ahead", [20, -20])
def test_a_cap_holds_where_the_clock_of_another_machine_is_off(ahead: int, tmp_path: Path) -> None:
    """A person whose stage was kept by a clock that is ahead of the exporting machine's is not touched twice a day."""
    side = CapSide(tmp_path)
    for person in (1, 2, 3):
        side.enter(person, "fresh", NOON + timedelta(minutes=ahead))
    once = capped_goal({"threshold": {"times": 1, "per": "day"}, "counts": "export"})
    found = [side.run(once, NOON + timedelta(minutes=minutes)).counters for minutes in (0, 5, -5, 30)]
    assert [counters.profiles_written for counters in found] == [3, 0, 0, 0]
    assert [counters.profiles_capped for counters in found] == [0, 3, 3, 3]


@pytest.mark.parametrize("window", ["day", "since_last", "all"])
def test_events_at_midnight_are_delivered_once(window: str, tmp_path: Path) -> None:
    """At midnight, by clocks that are ahead and slow in turn: every event stands once in the files that are kept."""
    evening = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)
    exporter = EventExporter(tmp_path, event_goal(window=window))
    kept: dict[str, list[str]] = {}
    for number, off in enumerate([0, 20, -20, 15, -15, 10, -10, 0, 0]):
        right = evening + timedelta(minutes=8 * number)
        exporter.now = right  # events are written by the clock of the warehouse
        exporter.hold([opened(number, right)])
        exporter.now = right + timedelta(minutes=off)
        exporter.run()
        kept |= exporter.ids()
    exporter.run(days=1)
    kept |= exporter.ids()
    every = [event for ids in kept.values() for event in ids]
    expected = Counter(f"o{number}" for number in range(9))
    assert set(every) == set(expected)
    if window != "all":  # which delivers everything each time
        assert Counter(every) == expected


def test_the_latest_delivery_of_a_file_counts_by_its_order(tmp_path: Path) -> None:
    """A file that was delivered again by a machine with a slow clock is removed later as it was delivered last."""
    exporter = EventExporter(tmp_path, event_goal(window="day", keep_days=7))
    exporter.hold([opened(1, NOON)])
    exporter.run(days=1)
    exporter.hold([opened(2, NOON + timedelta(minutes=1))])
    exporter.run(minutes=1)
    assert len(exporter.rows("from warehouse.exported_file")) == 2
    exporter.change("update warehouse.exported_file set exported_at = '2026-11-29 12:00+00' where run_id = 'run2'")
    exporter.change("update warehouse.exported_file set exported_at = '2026-11-29 12:10+00' where run_id = 'run1'")
    exporter.run(days=20)
    removed = exporter.rows("select delivered_by, outcome from warehouse.removed_file")
    assert removed == [("run2", "removed")]
