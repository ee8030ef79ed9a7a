"""A run or a decision that is killed leaves all of its merges or none; done again, it completes them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.merging.merge_side import MergeSide, TimedFile
from cdp_sync_tests.merging.test_splits import GOAL, ORDERS, PEOPLE
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.test_crash import counting_statements

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ONE = GOAL.model_copy(update={"events": ORDERS.events})
"""A goal with orders."""

HEADER = "Number,Email,Passport,Name,City,Total,Tags,Order,At\n"
FIRST = (
    "n1,ann@x,,Ann,Ghent,1,a,o1,2024-05-01\nn2,ann@x,,Anna,,2,b,o2,2024-05-01\n"
    "n3,cid@x,,Cid,,4,,o3,2024-05-01\nn4,cid@x,,Cyd,,8,,o4,2024-05-01\n"
    "n5,eve@x,P1,Eve,,16,,o5,2024-05-01\nn6,fay@x,P2,Fay,,32,,o6,2024-05-01\n"
)
SECOND = (
    "n3,,P3,,,,,o7,2024-05-02\nn4,,P4,,,,,o8,2024-05-02\n"
    "n2,both@x,,Anne,Liege,1,c,o9,2024-05-02\nn5,both@x,,,,1,,o10,2024-05-02\n"
    "n7,fay@x,,Guy,,64,,o11,2024-05-02\n"
)
"""Two that part, since their passports differ; one more that joins two, and one that is merged when it is created."""

POINTS = 5
"""Kills between the first statement that writes to the warehouse and the last."""

Work = Callable[[MergeSide], object]


def import_second(side: MergeSide) -> None:
    """Import the second delivery."""
    side.deliver(ONE, files("/2.csv", SECOND))


def unmerge_one(side: MergeSide) -> None:
    """Take a profile out of another one."""
    side.unmerge("n2")


def split_one(side: MergeSide) -> None:
    """Take identifiers out of a profile of two parts."""
    side.unmerge("n1", identifiers=["n1"])


def merge_two(side: MergeSide) -> None:
    """Merge two profiles that are merged themselves."""
    side.merge("n1", "n4")


WORKS: tuple[Work, ...] = (import_second, unmerge_one, split_one, merge_two)


def files(path: str, rows: str) -> list[TimedFile]:
    """Return a file."""
    return [(path, (HEADER + rows).encode(), NOON)]


def begun(folder: Path) -> MergeSide:
    """Return the product after the first delivery."""
    side = MergeSide(folder, PEOPLE)
    side.deliver(ONE, files("/1.csv", FIRST))
    return side


def state(side: MergeSide) -> tuple[Any, ...]:
    """Return the content of the warehouse without ids and times."""
    seen = side.look()
    places = {each: place for place, each in enumerate(side.ids)}
    decided = side.rows(
        "select left_id::text, right_id::text, kind, rule, property, value, revoked_at is null from warehouse.decision"
    )
    changes = side.rows("select profile_id::text, kind from warehouse.profile_change")
    counters = side.rows("select profiles_merged, profiles_unmerged from warehouse.imported_file order by rowid")
    return (
        seen,
        sorted(((places[left], places[right], *rest) for left, right, *rest in decided), key=repr),
        sorted((places[owner], kind) for owner, kind in changes),
        counters,
    )


@dataclass(frozen=True)
class Undisturbed:
    """A piece of work without a kill."""

    work: Work
    seed: Path
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    landing: range
    """The numbers of the statements from the beginning of the transaction to its commit."""

    def begin(self, folder: Path) -> MergeSide:
        """Return the product in another folder before the work."""
        side = MergeSide(folder, PEOPLE)
        side.runs = 1
        shutil.copy(self.seed, side.warehouse.path)
        return side


@pytest.fixture(scope="module", params=WORKS, ids=lambda work: work.__name__)
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Do the work without a kill."""
    side = begun(tmp_path_factory.mktemp("undisturbed"))
    seed, before = side.folder / "seed.duckdb", state(side)
    shutil.copy(side.warehouse.path, seed)
    with counting_statements() as seen:
        request.param(side)
    last = max(number for number, sql in enumerate(seen, start=1) if sql == "commit")
    first = max(number for number, sql in enumerate(seen, start=1) if sql == "begin" and number < last)
    after = state(side)
    assert after != before
    return Undisturbed(request.param, seed, before, after, range(first, last + 1))


def killed(work: Work, side: MergeSide, deadly: dict[str, Any]) -> None:
    """Do the work in a process that kills itself."""
    victim.die_at(**deadly)
    work(side)


@pytest.mark.parametrize("point", range(POINTS))
def test_killed_in_the_transaction(point: int, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A kill at a statement of the transaction leaves nothing; done again, all of it is there once."""
    side, landing = undisturbed.begin(tmp_path), undisturbed.landing
    number = landing[round(point * (len(landing) - 1) / (POINTS - 1))]
    process = victim.start(killed, undisturbed.work, side, {"number": number})
    assert victim.exit_code(process) == victim.KILLED
    assert state(side) == undisturbed.before
    side.runs += 1
    undisturbed.work(side)
    assert state(side) == undisturbed.after


def test_killed_after_the_commit(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A kill right after the commit leaves all of it."""
    side = undisturbed.begin(tmp_path)
    deadly = {"number": undisturbed.landing[-1], "after": True}
    assert victim.exit_code(victim.start(killed, undisturbed.work, side, deadly)) == victim.KILLED
    assert state(side) == undisturbed.after


def test_the_second_delivery_merges_and_parts(tmp_path: Path) -> None:
    """What the killed import does: one pair parts, a third one joins a pair, and a new one joins when it is created."""
    side = begun(tmp_path)
    assert [values["total"] for _, values in sorted(side.look().shown.items())] == ["3", "12", "16", "32"]
    import_second(side)
    assert [values["total"] for _, values in sorted(side.look().shown.items())] == ["21", "4", "8", "96"]
    counters = side.rows("select profiles_merged, profiles_unmerged from warehouse.imported_file order by rowid")
    assert counters == [(2, 0), (2, 1)]
