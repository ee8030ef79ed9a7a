"""Two runs at once: rows that were linked before another process merged or parted their profiles land all the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_sync.importing.pipeline import link_identifiers, parse_files, upsert_profiles
from cdp_sync_tests.merging.merge_side import MergeSide
from cdp_sync_tests.merging.test_splits import GOAL, PEOPLE
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.importer import arrived

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HEADER = "Number,Email,Name,Total\n"
FIRST = "n1,ann@x,Ann,1\nn2,bob@x,Bob,2\nn3,cid@x,Cid,4\nn4,cid@x,Cyd,8\n"
MINE = "n2,ann@x,,10\nn3,,,20\nn5,new@x,Eve,40\n"

Other = Callable[[MergeSide], object]


def import_file(side: MergeSide, path: str, rows: str) -> None:
    """Import a file."""
    side.deliver(GOAL, [(path, (HEADER + rows).encode(), NOON)])


def merge_by_hand(side: MergeSide) -> None:
    """Merge two profiles that the rows of the other process are about."""
    side.merge("n2", "n3")


def unmerge(side: MergeSide) -> None:
    """Take apart the profile of one of these rows."""
    side.unmerge("n4")


def import_the_same(side: MergeSide) -> None:
    """Import a file that merges the same two, and the new person of these rows with a third one."""
    import_file(side, "/other.csv", "n1,bob@x,,100\nn6,new@x,Fay,200\n")


def apply_rules(side: MergeSide) -> None:
    """Check everybody."""
    side.apply_rules()


OTHERS: dict[Other, tuple[list[list[str]], list[str]]] = {
    merge_by_hand: ([["n1", "n2", "n3", "n4"], ["n5"]], ["40", "45"]),
    unmerge: ([["n1", "n2"], ["n3"], ["n4"], ["n5"]], ["13", "24", "40", "8"]),
    import_the_same: ([["n1", "n2"], ["n3", "n4"], ["n5", "n6"]], ["113", "240", "32"]),
    apply_rules: ([["n1", "n2"], ["n3", "n4"], ["n5"]], ["13", "32", "40"]),
}


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.__name__)
def test_linked_before_another_process_decides(other: Other, tmp_path: Path) -> None:
    """Rows that are linked before another process decides about their profiles end as if imported after it."""
    side = MergeSide(tmp_path, PEOPLE)
    import_file(side, "/1.csv", FIRST)
    side.runs += 1
    run = side.import_run(GOAL)
    parse_files(run, arrived(tmp_path / "mine", {"/mine.csv": HEADER + MINE}))
    link_identifiers(run)
    elsewhere = MergeSide(tmp_path, PEOPLE)
    elsewhere.runs = 10
    assert victim.exit_code(victim.start(other, elsewhere)) == 0
    assert upsert_profiles(run).state == "success"
    clusters, totals = OTHERS[other]
    assert people(side) == clusters
    assert sorted(values["total"] for values in side.look().shown.values()) == sorted(totals)


def people(side: MergeSide) -> list[list[str]]:
    """Return the numbers of the parts of each live profile."""
    seen = side.look()
    found: dict[int, list[str]] = {}
    for place, holder in seen.live.items():
        found.setdefault(holder, []).append(seen.own[place]["number"])
    return sorted(sorted(numbers) for numbers in found.values())


def test_three_processes_at_once(tmp_path: Path) -> None:
    """Files of three processes that share people and addresses: each row counts once, and all that is one is one."""
    MergeSide(tmp_path, PEOPLE).apply_rules()
    started = []
    for number in range(3):
        side = MergeSide(tmp_path, PEOPLE)
        side.runs = 10 * (number + 1)
        rows = "".join(f"n{n},pair{n // 2}@x,,{10**number}\n" for n in range(40))
        rows += "".join(f"m{number}_{n},pair{n}@x,,{10**number}\n" for n in range(20))
        started.append(victim.start(import_file, side, f"/{number}.csv", rows))
    assert [victim.exit_code(process) for process in started] == [0, 0, 0]
    seen = MergeSide(tmp_path, PEOPLE).look()
    assert [values["total"] for values in seen.shown.values()] == ["333"] * 20
