"""Files of profiles and events after profiles were merged and unmerged: each live profile once, each event once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.model import EventExportGoal, FileGoal, Profiles
from cdp_sync.segments.membership import view_segment
from cdp_sync.warehouse.groups import count_members
from cdp_sync_tests.exporting.exporter import EVERYBODY, NOON
from cdp_sync_tests.merging.files_out import FilesSide, Rows, file_goal
from cdp_sync_tests.openssh import OpenSshServer, openssh_server
from cdp_sync_tests.trail.test_trail import server_of

PEOPLE = Profiles.model_validate(
    {
        "properties": [
            {"name": "number", "identifier": True},
            {"name": "phones", "identifier": True, "multiple": True},
            {"name": "name"},
            {"name": "total", "type": "number", "merge": "sum"},
            {"name": "firm", "type": "group", "group_type": "firm"},
        ],
        "segments": [EVERYBODY | {"when": {"any": [{"property": "number", "has_value": True}]}}],
        "merge_rules": [{"property": "phones"}],
        "group_types": [{"name": "firm"}],
        "event_types": [{"name": "order", "properties": [{"name": "sku"}]}],
    }
)
GOAL = FileGoal(
    name="people",
    link=[{"field": "Number", "property": "number"}],
    map=[
        {"field": "Phone", "property": "phones", "mode": "add"},
        {"field": "Name", "property": "name"},
        {"field": "Total", "property": "total"},
        {"field": "Firm", "property": "firm"},
    ],
)
ORDERS = FileGoal(
    name="orders",
    link=[{"field": "Number", "property": "number"}],
    events=[{"type": "order", "id": "Order", "time": "At", "map": [{"field": "Sku", "property": "sku"}]}],
)
ANN, BOB = "n1,11111,Ann,10,f1", "n2,22222,Bob,5,f1"
AS_ANN, AS_BOB, AS_BOTH = ("n1", "Ann", "10"), ("n2", "Bob", "5"), ("n2", "Bob", "15")


@pytest.fixture(scope="module")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """OpenSSH's server, shared by all tests."""
    with openssh_server(tmp_path_factory.mktemp("openssh") / "sshd") as server:
        yield server


@pytest.fixture
def side(tmp_path: Path) -> FilesSide:
    """The product with an empty warehouse; files go to a folder."""
    return FilesSide(tmp_path, PEOPLE)


def deliver(side: FilesSide, *rows: str, goal: FileGoal = GOAL) -> None:
    """Import a file."""
    header = "Number,Order,At,Sku" if goal is ORDERS else "Number,Phone,Name,Total,Firm"
    side.deliver(goal, [(f"/{side.runs}.csv", "\n".join([header, *rows, ""]).encode(), NOON)])


def exported(side: FilesSide, **declared: Any) -> list[tuple[str, str, str]]:
    """Export everybody to a file; return number, name and total of each row, in order."""
    _, rows = side.export(file_goal(PEOPLE, directory=str(side.folder / "outbox"), **declared))
    return [(row["number"], row["name"], row["total"]) for row in rows]


def check_changes(side: FilesSide) -> None:
    """Check that files of changes have what a merge and an unmerge change, once."""
    deliver(side, ANN, BOB)
    assert exported(side) == [AS_ANN, AS_BOB]
    deliver(side, "n2,11111,,,")
    assert (exported(side), exported(side)) == ([AS_BOTH], [])
    side.unmerge("n1")
    assert (exported(side), exported(side)) == ([AS_ANN, AS_BOB], [])


def test_a_file_of_changes(side: FilesSide) -> None:
    """After a merge it has the survivor, after an unmerge both, with their values; then nobody."""
    check_changes(side)


def test_a_file_of_changes_over_sftp(side: FilesSide, openssh: OpenSshServer) -> None:
    """The same on OpenSSH's server."""
    with SftpClient(server_of(openssh)) as client:
        side.server = client
        check_changes(side)


def test_a_file_of_everybody(side: FilesSide) -> None:
    """It has every live profile once, with what it shows."""
    deliver(side, ANN, BOB)
    deliver(side, "n2,11111,,,")
    assert exported(side, changes="all") == [AS_BOTH]
    side.unmerge("n2")
    assert exported(side, changes="all") == [AS_ANN, AS_BOB]
    side.merge("n1", "n2")
    assert exported(side, changes="all") == [AS_BOTH]


def test_an_absorbed_profile_that_was_never_sent(side: FilesSide) -> None:
    """After a merge before the first file only the survivor is in it; an unmerge brings both."""
    deliver(side, ANN, BOB, "n2,11111,,,")
    assert exported(side) == [AS_BOTH]
    side.unmerge("n1")
    assert (exported(side), exported(side)) == ([AS_ANN, AS_BOB], [])


def test_a_merge_that_is_taken_back_before_a_file(side: FilesSide) -> None:
    """Both profiles are sent once more, as they were before."""
    deliver(side, ANN, BOB)
    before = exported(side)
    side.merge("n1", "n2")
    side.unmerge("n1")
    assert (exported(side), exported(side)) == (before, [])


def test_other_profiles_are_not_sent_again(side: FilesSide) -> None:
    """A merge and an unmerge concern the parts alone; also of a survivor that already absorbed another profile."""
    deliver(side, ANN, BOB, "n3,33333,Cid,1,f1", "n4,44444,Dan,1,f1")
    exported(side)
    side.merge("n1", "n2")
    assert exported(side) == [AS_BOTH]
    side.merge("n2", "n3")
    assert (exported(side), exported(side)) == ([("n3", "Cid", "16")], [])
    side.unmerge("n3")
    assert (exported(side), exported(side)) == ([AS_BOTH, ("n3", "Cid", "1")], [])


def test_segments_and_groups_count_live_profiles(side: FilesSide) -> None:
    """A person counts once, and again as two after an unmerge."""
    deliver(side, ANN, BOB)
    assert counted(side) == (2, 2)
    side.merge("n1", "n2")
    assert counted(side) == (1, 1)
    side.unmerge("n2")
    assert counted(side) == (2, 2)


def counted(side: FilesSide) -> tuple[int, int]:
    """Return the size of the segment, and how many belong to the group."""
    with side.warehouse.open("read") as session:
        size = view_segment(session, PEOPLE, "everybody", NOON).size
        return size, count_members(session, PEOPLE, PEOPLE.group["firm"], "f1")["firm"]


def orders(side: FilesSide, **declared: Any) -> list[tuple[str, str]]:
    """Export events; return the id of each with the number of its person, in order."""
    columns = [{"field": "id", "event_id": True}, {"field": "number", "property": "number"}]
    usual = {"name": "orders", "events": ["order"], "directory": str(side.folder / "outbox"), "map": columns}
    rows: Rows = side.export_events(EventExportGoal.model_validate(usual | declared))
    return sorted((row["id"], row["number"]) for row in rows)


@pytest.mark.parametrize("window", ["since_last", "day", "all"])
def test_each_event_is_exported_once(window: str, side: FilesSide) -> None:
    """Events stay: under the survivor while profiles are merged, then under the side that their rows named.

    Files of new events have those whose person changed; files of whole days and of everything are written anew.
    """
    deliver(side, ANN, BOB)
    deliver(side, "n1,o1,2026-01-05,a", "n2,o2,2026-01-05,b", goal=ORDERS)
    own, moved = [("o1", "n1"), ("o2", "n2")], [("o1", "n2"), ("o2", "n2")]
    changed = slice(None) if window != "since_last" else slice(1)
    assert orders(side, window=window) == own
    side.merge("n1", "n2")
    assert orders(side, window=window) == moved[changed]
    assert orders(side, window=window) == []
    deliver(side, "n1,o3,2026-01-05,c", goal=ORDERS)
    later = [("o3", "n2")] if window == "since_last" else [*moved, ("o3", "n2")]
    assert orders(side, window=window) == later
    side.unmerge("n2")
    separate = [("o1", "n1"), ("o3", "n1")] if window == "since_last" else [*own, ("o3", "n1")]
    assert (orders(side, window=window), orders(side, window=window)) == (separate, [])
