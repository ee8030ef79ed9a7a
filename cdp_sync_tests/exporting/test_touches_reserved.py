"""Touches are written before a delivery: goals that run at once stay within the cap, and killed runs leave no touch."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from cdp_sync.exporting import (
    deliver_file,
    export_file,
    record_delivery,
    release,
    select_segment,
    verify_recordable,
    write_file,
)
from cdp_sync.exporting.preview import preview_export
from cdp_sync.model.lifecycle_goal import LONGEST
from cdp_sync.warehouse.caps import remove_touches
from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests.exporting.cap_side import CapSide, goal, renamed
from cdp_sync_tests.exporting.exporter import Deadly, Folder, Killed
from cdp_sync_tests.trail import victim

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
TWICE_A_DAY = {"threshold": {"times": 2, "per": "day"}, "counts": "export"}
_PEOPLE = 4


@pytest.fixture
def side(tmp_path: Path) -> CapSide:
    """Four people in the first stage since an hour before noon."""
    made = CapSide(tmp_path, people=_PEOPLE)
    for person in range(1, _PEOPLE + 1):
        made.enter(person, "fresh", NOON - timedelta(hours=1))
    return made


def touches(side: CapSide) -> Counter[str]:
    """Return how many touches are written, by run."""
    return Counter(run for (run,) in side.rows("select run_id from warehouse.touchpoint"))


def reservations(side: CapSide) -> list[str]:
    """Return the runs whose touches are not final."""
    return [run for (run,) in side.rows("select run_id from warehouse.touch_reservation order by run_id")]


def export_at_once(side: CapSide, connection: str, barrier: Barrier) -> None:
    """Export as a connection, at the same time as others."""
    run = side.next_run(renamed(goal(TWICE_A_DAY), connection), NOON, connection, f"run_of_{connection}")
    barrier.wait(60)
    export_file(run, Folder(side.outbox), side.folder / f"uploads_{connection}")


def test_connections_at_once_stay_within_the_cap(side: CapSide) -> None:
    """Of four connections that export the same people in four processes, two reach each person."""
    names = [f"shop{number}" for number in range(4)]
    barrier = victim.PROCESSES.Barrier(len(names))
    processes = [victim.start(export_at_once, side, name, barrier) for name in names]
    assert [victim.exit_code(process, 120) for process in processes] == [0] * len(names)
    assert Counter(side.exported()) == dict.fromkeys(range(1, _PEOPLE + 1), 2)
    assert sorted(touches(side).values()) == [_PEOPLE, _PEOPLE]
    assert reservations(side) == []


def kill_before_delivering(side: CapSide) -> None:
    """Select, which reserves the touches, write the file, and be killed."""
    run = side.next_run(goal(TWICE_A_DAY), NOON, run_id="killed")
    verify_recordable(run, select_segment(run))
    assert write_file(run)
    victim.die()


def test_a_run_that_is_killed_before_it_delivers_leaves_no_touch(side: CapSide) -> None:
    """The touches of a killed run count for other goals until the goal runs again, which removes them."""
    assert victim.exit_code(victim.start(kill_before_delivering, side)) == victim.KILLED
    assert (touches(side), reservations(side)) == ({"killed": _PEOPLE}, ["killed"])
    once = renamed(goal({"threshold": {"times": 1, "per": "day"}}), "other")
    assert side.run(once, NOON).counters.profiles_capped == _PEOPLE
    assert side.run(goal(TWICE_A_DAY), NOON).counters.profiles_written == _PEOPLE
    assert (touches(side), reservations(side)) == ({"run2": _PEOPLE}, [])
    assert [side.run(goal(TWICE_A_DAY), NOON).counters.profiles_written for _ in range(2)] == [_PEOPLE, 0]


def test_a_run_that_is_killed_after_it_delivered_counts_once_more_when_it_runs_again(side: CapSide) -> None:
    """A delivery that was not recorded is made again, as without a lifecycle, and is one touch."""
    run = side.next_run(goal(TWICE_A_DAY), NOON)
    with pytest.raises(Killed):
        export_file(run, Deadly(Folder(side.outbox)), side.folder / "uploads")
    assert reservations(side) == ["run1"]
    assert side.run(goal(TWICE_A_DAY), NOON).counters.profiles_written == _PEOPLE
    assert (touches(side), reservations(side)) == ({"run2": _PEOPLE}, [])


def test_touches_of_a_killed_run_follow_the_goals_name(side: CapSide) -> None:
    """A goal that was killed in its very first run, and is renamed since, removes the touches that the run left."""
    assert victim.exit_code(victim.start(kill_before_delivering, side)) == victim.KILLED
    assert adopt(side.warehouse, ("shop", "new"), (None, "out"))
    assert side.run(renamed(goal(TWICE_A_DAY), "new"), NOON).counters.profiles_written == _PEOPLE
    assert (touches(side), reservations(side)) == ({"run1": _PEOPLE}, [])


def test_a_run_that_fails_before_it_delivers_takes_its_touches_back(side: CapSide) -> None:
    """`release` removes the touches of a run that gave up, and no others."""
    side.run(goal(TWICE_A_DAY), NOON)
    run = side.next_run(goal(TWICE_A_DAY), NOON)
    select_segment(run)
    assert touches(side) == {"run1": _PEOPLE, "run2": _PEOPLE}
    release(run)
    assert (touches(side), reservations(side)) == ({"run1": _PEOPLE}, [])


def test_recording_again_adds_no_touch(side: CapSide) -> None:
    """To record a delivery is idempotent, also for touches."""
    run = side.next_run(goal(TWICE_A_DAY), NOON)
    counters = select_segment(run)
    file = write_file(run)
    assert file
    delivered = deliver_file(run, Folder(side.outbox), file, side.folder / "uploads")
    for _ in range(2):
        record_delivery(run, counters, delivered)
        assert (touches(side), reservations(side)) == ({"run1": _PEOPLE}, [])


def test_a_run_that_is_tried_again_from_a_step_keeps_its_touches(side: CapSide) -> None:
    """A run that goes on with what another one has staged, under an id of its own, settles the touches of that one."""
    run = side.next_run(goal(TWICE_A_DAY), NOON)
    counters = select_segment(run)
    again = replace(run, run_id="again")
    file = write_file(again)
    assert file
    record_delivery(again, counters, deliver_file(again, Folder(side.outbox), file, side.folder / "uploads"))
    assert (touches(side), reservations(side)) == ({"run1": _PEOPLE}, [])


def test_old_touches_are_removed(side: CapSide) -> None:
    """Touches that no period reaches any more are removed, and no others."""
    for at in (NOON, NOON + timedelta(days=50)):
        side.run(goal(TWICE_A_DAY), at)
    with side.warehouse.open("write") as session:
        assert remove_touches(session, NOON + timedelta(days=94) - LONGEST) == _PEOPLE
    assert touches(side) == {"run2": _PEOPLE}


def test_a_preview_reserves_nothing(side: CapSide) -> None:
    """A preview shows who would be exported and who is capped, and writes no touch unless it has a copy to write to."""
    once = goal({"threshold": {"times": 1, "per": "day"}, "counts": "export"})
    shown = [preview_export(side.next_run(once, NOON)).counters.profiles_written for _ in range(2)]
    assert (shown, touches(side)) == ([_PEOPLE, _PEOPLE], {})
    preview_export(side.next_run(once, NOON, run_id="preview"), reserve=True)
    second = preview_export(side.next_run(renamed(once, "second"), NOON))
    assert second.counters.profiles_capped == _PEOPLE
    assert second.to_json()["capped_until_last"] == NOON + timedelta(days=1)
