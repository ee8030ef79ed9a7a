"""Scanning a directory: which files are due, in which order, and why others wait."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.importing import Scan, scan_directory
from cdp_sync.importing.sources.scanning import Sightings, select_files
from cdp_sync.model import FileGoal, RemoteFile
from cdp_sync.model.goal import TEMPORARY_SUFFIXES
from cdp_sync.warehouse.ledger import KnownFile

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
PRINT = "0123456789abcdef"


class Looks:
    """A directory that returns one listing after another and then repeats the last. Only `wait` moves its clock."""

    def __init__(self, *listings: Sequence[RemoteFile], sightings: Sightings | None = None) -> None:
        self.listings = list(listings)
        self.sightings = sightings
        self.asked: list[str] = []
        self.waited: list[float] = []
        self.now = NOW

    def list_directory(self, directory: str) -> list[RemoteFile]:
        """Return the next listing."""
        self.asked.append(directory)
        return list(self.listings.pop(0) if len(self.listings) > 1 else self.listings[0])

    def wait(self, seconds: float) -> None:
        """Move the clock forward."""
        self.waited.append(seconds)
        self.now += timedelta(seconds=seconds)

    def scan(self, made: FileGoal, known: Sequence[KnownFile] = ()) -> Scan:
        """Scan by the clock of this directory."""
        ledger = {file.path: file for file in known}
        return scan_directory(self, made, ledger, PRINT, sightings=self.sightings, now=lambda: self.now, wait=self.wait)


def goal(**fields: object) -> FileGoal:
    """Return a goal with these fields."""
    defaults = {"name": "customers", "directory": "/in", "link": [{"field": "Email", "property": "email"}]}
    return FileGoal.model_validate(defaults | fields)


def file(name: str, *, age: float = 3600, size: int = 10) -> RemoteFile:
    """Return a file in a listing, last modified `age` seconds ago."""
    return RemoteFile(NOW - timedelta(seconds=age), f"/in/{name}", size)


def known(of: RemoteFile, **fields: object) -> KnownFile:
    """Return a file's entry in the ledger."""
    defaults = {"path": of.path, "size": of.size, "modified_at": of.modified_at, "sha256": "s", "fingerprint": PRINT}
    return KnownFile(**(defaults | {"fields": ()} | fields))  # type: ignore[arg-type]


def states(scan: Scan) -> dict[str, str]:
    """Return the state of each file by name."""
    return {each.remote.name: each.state for each in scan.files}


@pytest.mark.parametrize(
    ("declared", "name", "chosen"),
    [
        ({"files": "customers_*.csv"}, "customers_1.csv", True),
        ({"files": "customers_*.csv"}, "customers_.csv", True),
        ({"files": "customers_*.csv"}, "Customers_1.csv", False),
        ({"files": "customers_*.csv"}, "customers_1.CSV", False),
        ({"files": "customers_*.csv"}, "old_customers_1.csv", False),
        ({"files": "customers_*.csv"}, "customers_1.csv.gz", False),
        ({"files": "c?.csv"}, "c12.csv", False),
        ({"files": "c[0-9].csv"}, "c1.csv", True),
        ({"files": "customers.csv"}, "customersXcsv", False),
        ({"files_regex": r"c_\d+[.]csv"}, "c_12.csv", True),
        ({"files_regex": r"c_\d+[.]csv"}, "c_12.csv.gz", False),
        ({"files_regex": r"c_\d+[.]csv"}, "abc_12.csv", False),
        ({"files_regex": r"c_\d+[.]csv"}, "C_12.csv", False),
        ({"files_regex": r"(?i)c_\d+[.]csv"}, "C_12.CSV", True),
        ({"files_regex": "a|b"}, "ab", False),
        ({}, "anything at all", True),
        ({}, "naïve.csv", True),
    ],
)
def test_patterns_match_whole_names_and_case(declared: dict[str, object], name: str, chosen: bool) -> None:
    """A wildcard or regular expression matches the whole name, case-sensitively."""
    assert goal(**declared).arrives_as(name) is chosen


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*a){25}", "((a?){9}){9}b"])
def test_patterns_match_in_linear_time(pattern: str) -> None:
    """Patterns with catastrophic backtracking in Python's engine match in linear time."""
    assert not goal(files_regex=pattern).arrives_as("a" * 23 + "c" * 200)


@pytest.mark.parametrize(
    "name", [".hidden", "~lock.csv", *(f"a.csv{suffix}" for suffix in TEMPORARY_SUFFIXES), "A.TMP"]
)
def test_temporary_names_are_skipped(name: str) -> None:
    """Hidden files and temporary suffixes are never imported, whatever pattern the goal has."""
    assert not goal().arrives_as(name)
    assert not goal(files="*").arrives_as(name)
    assert not goal(files_regex=".*").arrives_as(name)


@given(st.permutations([("b", 60.0), ("a", 60.0), ("c", 90.0), ("d", 30.0)]))
def test_files_are_sorted_by_time_then_name(listed: list[tuple[str, float]]) -> None:
    """Files are sorted by modification time, then by name."""
    chosen = select_files([file(name, age=age) for name, age in listed], goal())
    assert [each.name for each in chosen] == ["c", "a", "b", "d"]


def test_a_file_is_new_changed_stale_or_unchanged() -> None:
    """The state follows from path, size, time and fingerprint; all but unchanged files are due."""
    new, sized, timed, stale, same = (file(name) for name in ("new", "sized", "timed", "stale", "same"))
    ledger = [
        known(sized, size=11),
        known(timed, modified_at=timed.modified_at - timedelta(seconds=1)),
        known(stale, fingerprint="another"),
        known(same),
    ]
    scan = Looks([new, sized, timed, stale, same]).scan(goal(), ledger)
    assert states(scan) == {"new": "new", "sized": "changed", "timed": "changed", "stale": "stale", "same": "unchanged"}
    assert {each.name for each in scan.due} == {"new", "sized", "timed", "stale"}
    assert scan.waiting == ()


def test_changed_takes_precedence_over_stale() -> None:
    """A file that changed and whose goal changed too has the state `changed`."""
    each = file("a")
    assert states(Looks([each]).scan(goal(), [known(each, size=1, fingerprint="another")])) == {"a": "changed"}


@pytest.mark.parametrize("age", [1, 3600, 1e9, -3600], ids=["young", "old", "very old", "of the future"])
def test_a_new_file_needs_two_equal_listings(age: float) -> None:
    """A new file is due after two equal listings `settle_seconds` apart, whatever its modification time."""
    looks = Looks([file("a", age=age), file("b", age=2)])
    scan = looks.scan(goal(complete={"settle_seconds": 7}))
    assert states(scan) == {"a": "new", "b": "new"}
    assert (looks.asked, looks.waited) == (["/in", "/in"], [7.0])


@pytest.mark.parametrize(
    "later",
    [[file("a", size=11)], [file("a", age=0)], []],
    ids=["grown", "touched", "gone"],
)
def test_a_growing_file_waits_for_the_next_run(later: list[RemoteFile]) -> None:
    """A file whose size or time differs in the second listing, or that is gone, is reported as growing."""
    old = file("old")
    scan = Looks([file("a"), old], [*later, old]).scan(goal())
    assert states(scan) == {"old": "new", "a": "growing"}
    assert scan.due == (old,)
    assert [(report.path, report.state) for report in scan.waiting] == [("/in/a", "growing")]


def sightings_on_disk(tmp_path: Path) -> Sightings:
    """Return the sightings as another process reads them from disk."""
    return Sightings(tmp_path / "sightings" / "shop__customers.json")


def test_an_earlier_sighting_shortens_the_wait(tmp_path: Path) -> None:
    """An earlier sighting of an unchanged file shortens the wait; a changed file waits in full."""
    made = goal(complete={"settle_seconds": 10})
    first = Looks([file("a")], sightings=sightings_on_disk(tmp_path))
    first.scan(made)
    assert first.waited == [10.0]
    for seconds, listing, waited in (
        (3.0, [file("a")], []),
        (4.0, [file("a"), file("b")], [10.0]),
        (5.0, [file("a", size=11)], [10.0]),
    ):
        looks = Looks(listing, sightings=sightings_on_disk(tmp_path))
        looks.now = first.now + timedelta(seconds=seconds)
        assert all(each.due for each in looks.scan(made).files)
        assert looks.waited == waited
        first.now = looks.now


def test_a_grown_file_waits_for_the_remainder(tmp_path: Path) -> None:
    """A file that grew counts as first seen at the second listing; the next run waits for the remainder."""
    looks = Looks([file("a")], [file("a", size=11)], sightings=sightings_on_disk(tmp_path))
    assert states(looks.scan(goal(complete={"settle_seconds": 10}))) == {"a": "growing"}
    after = Looks([file("a", size=11)], sightings=sightings_on_disk(tmp_path))
    after.now = looks.now + timedelta(seconds=4)
    assert states(after.scan(goal(complete={"settle_seconds": 10}))) == {"a": "new"}
    assert after.waited == [6.0]


def test_a_sighting_in_the_future_is_ignored(tmp_path: Path) -> None:
    """A sighting with a time in the future is ignored."""
    sightings_on_disk(tmp_path).note([file("a")], NOW + timedelta(days=1))
    looks = Looks([file("a")], sightings=sightings_on_disk(tmp_path))
    looks.scan(goal(complete={"settle_seconds": 10}))
    assert looks.waited == [10.0]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"path": "/in/a"}]', '[{"since": 1}]', "null"])
def test_unreadable_sightings_are_ignored(text: str, tmp_path: Path) -> None:
    """A sightings file that cannot be parsed is ignored, and the scan waits in full."""
    place = tmp_path / "sightings" / "shop__customers.json"
    place.parent.mkdir()
    place.write_text(text, encoding="utf-8")
    looks = Looks([file("a")], sightings=sightings_on_disk(tmp_path))
    assert states(looks.scan(goal())) == {"a": "new"}
    assert looks.waited == [10.0]


def test_a_scan_with_nothing_due_leaves_no_files(tmp_path: Path) -> None:
    """A scan with nothing due lists once and removes the sightings file."""
    looks = Looks([file("a")], sightings=sightings_on_disk(tmp_path))
    looks.scan(goal())
    assert [path.name for path in (tmp_path / "sightings").iterdir()] == ["shop__customers.json"]
    after = Looks([file("a")], sightings=sightings_on_disk(tmp_path))
    after.scan(goal(), [known(file("a"))])
    assert (len(after.asked), list((tmp_path / "sightings").iterdir())) == (1, [])


@pytest.mark.parametrize(("print_", "state"), [(PRINT, "unchanged"), ("another", "stale")])
def test_recent_known_files_need_no_wait(print_: str, state: str) -> None:
    """A file that equals its entry in the ledger needs no second listing, however recent."""
    young = file("a", age=1)
    looks = Looks([young])
    assert states(looks.scan(goal(), [known(young, fingerprint=print_)])) == {"a": state}
    assert looks.waited == []


def test_settle_seconds_zero_needs_no_wait() -> None:
    """With `settle_seconds: 0` a file is due at once."""
    looks = Looks([file("a", age=0)])
    assert states(looks.scan(goal(complete={"settle_seconds": 0}))) == {"a": "new"}
    assert looks.waited == []


def test_a_marker_makes_a_file_due() -> None:
    """With `marker`, files without a marker wait, and one listing is enough; markers are not imported."""
    listing = [file("a.csv", age=1), file("a.csv.done", age=1), file("b.csv")]
    looks = Looks(listing)
    scan = looks.scan(goal(complete={"marker": "{name}.done"}))
    assert states(scan) == {"a.csv": "new", "b.csv": "not whole"}
    assert [(report.path, report.state) for report in scan.waiting] == [("/in/b.csv", "not whole")]
    assert (len(looks.asked), looks.waited) == (1, [])


def test_an_imported_file_needs_no_marker() -> None:
    """An imported file stays unchanged after its marker is deleted."""
    each = file("a.csv")
    assert states(Looks([each]).scan(goal(complete={"marker": "{name}.done"}), [known(each)])) == {"a.csv": "unchanged"}


def test_a_changed_file_needs_its_marker() -> None:
    """A changed file waits for its marker, as a new one does."""
    each = file("a.csv")
    scan = Looks([each]).scan(goal(complete={"marker": "{name}.done"}), [known(each, size=1)])
    assert states(scan) == {"a.csv": "not whole"}


def test_a_marker_may_have_a_hidden_or_temporary_name() -> None:
    """A marker may have a hidden or temporary name."""
    listing = [file("a.csv"), file(".a.csv.lock")]
    assert states(Looks(listing).scan(goal(complete={"marker": ".{name}.lock"}))) == {"a.csv": "new"}


def test_an_empty_directory_has_nothing_due() -> None:
    """An empty directory has no files, none due and none waiting."""
    scan = Looks([]).scan(goal())
    assert (scan.files, scan.due, scan.waiting) == ((), (), ())


def test_the_real_clock_and_wait_are_the_defaults() -> None:
    """A scan without clock and wait uses the real ones."""
    look: Callable[..., Scan] = scan_directory
    assert look(Looks([file("a")]), goal(complete={"settle_seconds": 0.01}), {}, PRINT).due == (file("a"),)
