"""Order of the rows in files of events, and the ledger of types that a goal names no longer."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import EventCounters
from cdp_sync_tests.exporting.event_exporter import NOON, EventExporter, goal, opened

DAILY = {"window": "day", "file": {"name": "esp.csv"}}
MANY = 130_000
"""Events of one type: more than a row group has."""


@pytest.mark.parametrize("declared", [DAILY, DAILY | {"split": "by_type"}])
def test_a_file_of_several_row_groups_is_in_order_of_time(declared: dict[str, Any], tmp_path: Path) -> None:
    """Rows are in order of time, however events are stored; of events at one time the types and ids decide."""
    exporter = EventExporter(tmp_path, goal(**declared))
    for kind in ("order", "opened"):
        exporter.change(
            f"""insert into warehouse.event_{kind} by name
            select
                printf('%06d', i) as event_id, uuid '00000000-0000-0000-0000-000000000001' as profile_id,
                timestamptz '2026-11-28 00:00:00+00' + to_milliseconds(hash(i) % 1000) as happened_at,
                epoch_us(happened_at)::varchar as campaign, now() as _written_at
            from range({MANY}) t(i)
            order by i desc"""
        )
    assert exporter.counters(days=1).events_written == 2 * MANY
    files = sorted(exporter.outbox.iterdir())
    assert len(files) == (2 if "split" in declared else 1)
    for file in files:
        rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
        keys = [(int(campaign), kind, event_id) for _, kind, campaign, event_id in rows]
        assert len(keys) == 2 * MANY // len(files)
        assert all(former < later for former, later in pairwise(keys))


@pytest.mark.parametrize(
    "declared", [DAILY, {"window": "all", "file": {"name": "esp.csv"}}, {**DAILY, "window": "all", "split": "by_day"}]
)
def test_a_type_that_is_named_again_is_in_the_file_again(declared: dict[str, Any], tmp_path: Path) -> None:
    """A file that was written again while the goal named fewer types has all of them when it names them again."""
    exporter = EventExporter(tmp_path, goal(**declared))

    def in_files() -> list[str]:
        lines = [line for file in exporter.outbox.iterdir() for line in file.read_text().splitlines()[1:]]
        return sorted(line.split(",")[1] for line in lines)

    exporter.hold([opened(1), opened(4, NOON - timedelta(days=1))])
    exporter.hold([{key: opened(2)[key] for key in ("event_id", "profile_id", "happened_at")}], "order")
    assert exporter.counters(days=1) == EventCounters(events_in_window=3, events_written=3)

    exporter.goal = goal(**declared, events=["opened"])
    assert exporter.counters(days=1).events_written == 0
    exporter.hold([opened(3, NOON + timedelta(seconds=1))])
    assert exporter.counters(days=1).events_written >= 2
    assert in_files() == ["opened"] * 3

    exporter.goal = goal(**declared)
    assert exporter.counters(days=1).events_written >= 3
    assert in_files() == ["opened"] * 3 + ["order"]
    assert exporter.counters(days=1).events_written == 0


def test_a_type_that_is_named_again_stays_in_its_own_file(tmp_path: Path) -> None:
    """Where each type has a file, those of types that the goal names no longer stay as they are, and are known."""
    declared = {**DAILY, "split": "by_type"}
    exporter = EventExporter(tmp_path, goal(**declared))
    exporter.hold([opened(1)])
    exporter.hold([{key: opened(2)[key] for key in ("event_id", "profile_id", "happened_at")}], "order")
    assert exporter.counters(days=1) == EventCounters(events_in_window=2, events_written=2)

    exporter.goal = goal(**declared, events=["opened"])
    exporter.hold([opened(3, NOON + timedelta(seconds=1))])
    assert exporter.counters(days=1).events_written == 2
    exporter.goal = goal(**declared)
    assert exporter.counters(days=1).events_written == 0
    known = "select event_type, count(*) from warehouse.exported_event group by all order by all"
    assert exporter.rows(known) == [("opened", 2), ("order", 1)]
