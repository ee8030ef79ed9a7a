"""Goals of a lifecycle: who is exported, who is at the cap and until when, and what counts as a touch."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.lifecycles import keep_stages
from cdp_sync.merging.deciding import merge_by_hand, unmerge
from cdp_sync_tests.exporting.cap_oracle import CapOracle
from cdp_sync_tests.exporting.cap_side import EVENT_TYPES, CapSide, goal, profiles, renamed
from cdp_sync_tests.generated import SEED

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""On the day before clocks are set forward in Europe."""
AMSTERDAM = {"window": "calendar", "time_zone": "Europe/Amsterdam"}
ONCE_A_DAY = {"threshold": {"times": 1, "per": "day"}, "counts": "export"}

THRESHOLDS: Sequence[dict[str, Any]] = [
    {"per": "day"},
    {"per": "week"},
    {"per": "month"},
    {"per": "quarter"},
    {"per": "day", **AMSTERDAM},
    {"per": "day", "window": "calendar", "time_zone": "America/Havana"},  # its clocks change at midnight
    {"per": "week", "window": "calendar", "time_zone": "Pacific/Auckland"},
    {"per": "month", "window": "calendar"},
    {"per": "quarter", **AMSTERDAM},
]
_STEPS = {"day": 7, "week": 40, "month": 170, "quarter": 500}
"""Hours between two moments of a history, at most."""


@pytest.fixture
def side(tmp_path: Path) -> CapSide:
    """Three people in the first stage since an hour before noon."""
    made = CapSide(tmp_path)
    for person in range(1, 4):
        made.enter(person, "fresh", NOON - timedelta(hours=1))
    return made


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=lambda each: "-".join(each.values()))
def test_caps_agree_with_the_oracle(threshold: dict[str, Any], tmp_path: Path) -> None:
    """In generated histories of stages, events and runs, each run exports and caps the people that the oracle does."""
    rng = random.Random(f"{SEED} {threshold}")
    made = [_declared(rng, threshold) for _ in range(3)]
    goals = [renamed(goal(declared), f"goal{number}") for number, declared in enumerate(made)]
    side, oracle, caps = CapSide(tmp_path, people=5), CapOracle(goals=made), 0
    now = NOON - timedelta(days=21) if threshold.get("time_zone") == "America/Havana" else NOON
    side.counting(goals)
    for person in range(1, 6):
        side.enter(person, "fresh", now)
        oracle.stages[person] = ("fresh", now)
    for _ in range(28):
        now += timedelta(seconds=rng.randrange(3600 * _STEPS[threshold["per"]]))
        person = rng.randint(1, 5)
        match rng.choice(["stage", "event", "event", "run", "run", "run", "run"]):
            case "stage":
                stage = rng.choice(["fresh", "fresh", "buyer", "unassigned", "completed", None])
                side.enter(person, stage, now)
                oracle.stages.pop(person, None)
                oracle.stages |= {person: (stage, now)} if stage else {}
            case "event":
                kind = rng.choice(EVENT_TYPES)
                at = now - timedelta(hours=rng.randrange(-5, 30))
                side.happen(person, kind, at)
                oracle.events.append((person, kind, at))
            case _:
                number = rng.randrange(3)
                exported, capped = oracle.run(made[number], now, 5)
                report = side.run(goals[number], now)
                context = f"seed {SEED}, {made}, goal {number} at {now}"
                assert set(side.exported()) == exported, context
                assert side.capped(f"goal{number}") == capped, context
                assert report.counters.profiles_capped == len(capped)
                assert report.counters.profiles_outside_lifecycle == 5 - len(exported) - len(capped)
                caps += len(capped)
                assert report.capped_until == ((min(capped.values()), max(capped.values())) if capped else None)
    assert caps, "a history without caps proves nothing"


def _declared(rng: random.Random, threshold: dict[str, Any]) -> dict[str, Any]:
    """Return what a goal declares of the lifecycle."""
    declared: dict[str, Any] = {"threshold": {"times": rng.randint(1, 2), **threshold}} if rng.random() < 0.9 else {}
    if counts := rng.choice(["export", "export", *EVENT_TYPES, ""]):
        declared["counts"] = counts
    if stages := rng.choice([["fresh"], ["fresh", "buyer"], ["fresh", "unassigned"], []]):
        declared["stages"] = stages
    return declared


def test_a_day_is_the_last_24_hours(side: CapSide) -> None:
    """The vendor's example: exported at 10:00, not at 17:00, and the next day not at 9:59:59 but at 10:00."""
    ten = NOON + timedelta(hours=-2, days=1)
    out = goal(ONCE_A_DAY)
    ends = []
    for at in (
        ten,
        ten + timedelta(hours=7),
        ten + timedelta(hours=23, minutes=59, seconds=59),
        ten + timedelta(days=1),
    ):
        counters = side.run(out, at).counters
        ends.append((counters.profiles_written, counters.profiles_capped))
    assert ends == [(3, 0), (0, 3), (0, 3), (3, 0)]


def test_who_is_capped_is_listed_with_the_moment(side: CapSide) -> None:
    """The report, its sentence and `capped_profile` say when caps end; the next run of the goal replaces the list."""
    out = goal(ONCE_A_DAY)
    side.run(out, NOON)
    report = side.run(out, NOON + timedelta(hours=1))
    end = NOON + timedelta(days=1)
    assert report.capped_until == (end, end)
    assert "3 capped" in report.message
    assert "The caps end at 2026-03-29 12:00:00 UTC." in report.message
    assert report.to_json()["capped_until_first"] == end
    assert side.capped("out") == dict.fromkeys((1, 2, 3), end)
    side.run(out, end)
    assert side.capped("out") == {}


def test_goals_of_a_stage_share_the_cap_in_order(side: CapSide) -> None:
    """Of two goals of a stage the first one touches everybody; the second finds them at their cap."""
    first, second = (renamed(goal(ONCE_A_DAY), name) for name in ("first", "second"))
    assert side.run(first, NOON).counters.profiles_written == 3
    assert side.run(second, NOON).counters.profiles_capped == 3
    twice = renamed(goal({"threshold": {"times": 2, "per": "day"}, "counts": "export"}), "third")
    assert side.run(twice, NOON).counters.profiles_written == 3


def test_a_goal_that_counts_nothing_is_capped_too(side: CapSide) -> None:
    """A goal without `counts` exports nobody at the cap, and its exports are no touches."""
    silent = renamed(goal({"threshold": {"times": 1, "per": "day"}}), "silent")
    assert [side.run(silent, NOON).counters.profiles_written for _ in range(2)] == [3, 3]
    side.run(goal(ONCE_A_DAY), NOON)
    assert side.run(silent, NOON).counters.profiles_capped == 3


def test_another_stage_starts_a_fresh_count(side: CapSide) -> None:
    """Touches count for the stage in which they happened, and only since the profile entered it this time."""
    out = goal(ONCE_A_DAY)
    side.run(out, NOON)
    side.enter(1, "buyer", NOON + timedelta(hours=1))
    side.enter(2, "fresh", NOON + timedelta(hours=1))
    side.exported()
    assert side.run(out, NOON + timedelta(hours=2)).counters.profiles_capped == 1
    assert side.exported() == [1, 2]


def test_only_profiles_in_the_stages_are_exported(side: CapSide) -> None:
    """Profiles in other stages, and those who have completed or are not in the lifecycle, are outside."""
    side.enter(1, "buyer", NOON)
    side.enter(2, "completed", NOON)
    counters = side.run(goal({"stages": ["fresh"]}), NOON).counters
    assert (counters.profiles_outside_lifecycle, counters.profiles_written, counters.eligible) == (2, 1, 1)
    side.enter(3, None, NOON)
    assert side.run(renamed(goal({}), "every"), NOON).counters.profiles_written == 1


def test_a_lifecycle_that_is_off_exports_nobody(side: CapSide) -> None:
    """Goals of a lifecycle that is off export nobody, and the message says why."""
    side.profiles = profiles(enabled=False)
    report = side.run(goal(ONCE_A_DAY), NOON)
    assert report.counters.profiles_outside_lifecycle == 3
    assert "The lifecycle welcome is off: its goals export nobody." in report.message


def test_imported_events_count_from_when_they_happened(side: CapSide) -> None:
    """An event counts from when it happened; one before the stage was entered, or in the future, does not count."""
    out = goal({"threshold": {"times": 1, "per": "week"}, "counts": "email_opened"})
    side.happen(1, "email_opened", NOON - timedelta(hours=2))
    side.happen(2, "email_opened", NOON - timedelta(minutes=30))
    side.happen(3, "email_opened", NOON + timedelta(minutes=30))
    side.happen(1, "email_link_clicked", NOON - timedelta(minutes=5))
    side.run(out, NOON)
    assert side.exported() == [1, 3]
    assert side.capped("out") == {2: NOON + timedelta(days=7, minutes=-30)}


def test_a_capped_profile_is_exported_when_its_cap_has_ended(side: CapSide) -> None:
    """With `changes: changed` a change that was held back by the cap is exported after it."""
    out = goal(ONCE_A_DAY, changes="changed")
    side.run(out, NOON)
    side.exported()
    with side.warehouse.open("write") as session:
        session.execute("update warehouse.profile set name = 'New' where email = 'p2@example.com'")
    assert side.run(out, NOON + timedelta(hours=1)).counters.profiles_capped == 3
    counters = side.run(out, NOON + timedelta(days=1)).counters
    assert (counters.profiles_written, counters.profiles_same) == (1, 2)
    assert side.exported() == [2]


def test_touches_of_a_merged_profile_are_its_survivors(side: CapSide) -> None:
    """A touch of a profile that is merged into another one counts for that one, and for itself when it is back."""
    out = goal(ONCE_A_DAY)
    side.enter(2, None, NOON)
    side.run(out, NOON)
    side.enter(2, "fresh", NOON - timedelta(hours=1))
    merge = "update warehouse.profile set merged_into = {} where email = 'p1@example.com'"
    with side.warehouse.open("write") as session:
        session.execute(merge.format("(select profile_id from warehouse.profile where email = 'p2@example.com')"))
    assert side.run(out, NOON + timedelta(hours=1)).counters.profiles_capped == 2
    with side.warehouse.open("write") as session:
        session.execute(merge.format("null"))
    side.exported()
    side.run(out, NOON + timedelta(hours=1))
    assert side.exported() == [2]


def test_a_cap_outlasts_a_merge_and_an_unmerge(side: CapSide) -> None:
    """Who becomes one with a newer profile was in the stage before: touches count on, also when taken apart."""
    out = goal(ONCE_A_DAY)
    side.enter(2, None, NOON)
    side.run(out, NOON)
    side.exported()
    first, second = (str(UUID(int=person)) for person in (1, 2))
    by_hand = {"decided_by": "ann", "run_id": "by hand"}

    def keep_and_run(now: datetime) -> list[int]:
        with side.warehouse.open("write") as session:
            assert keep_stages(session, side.profiles, side.profiles.lifecycle["welcome"], now).entered == 0
        side.run(out, now)
        return side.exported()

    with side.warehouse.open("write") as session:
        session.execute("update warehouse.profile set created_at = $now where email = 'p2@example.com'", {"now": NOON})
    merge_by_hand(side.warehouse, side.profiles, first, second, now=NOON + timedelta(hours=1), **by_hand)
    assert keep_and_run(NOON + timedelta(hours=2)) == []
    assert set(side.capped("out")) == {2, 3}
    unmerge(side.warehouse, side.profiles, first, now=NOON + timedelta(hours=3), **by_hand)
    assert keep_and_run(NOON + timedelta(hours=4)) == [2]
    assert set(side.capped("out")) == {1, 3}
