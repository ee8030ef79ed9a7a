"""Lists of platforms after profiles were merged and unmerged: the next export puts them right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.exporting.exporter import EVERYBODY
from cdp_sync_tests.merging.merge_side import MergeSide
from cdp_sync_tests.merging.platforms import Platform, Sailthru, platform
from cdp_sync_tests.trail.importer import NOON

RICH = {"name": "rich", "when": {"property": "total", "at_least": 20}}
GOAL = FileGoal(
    name="people",
    link=[{"field": "Number", "property": "number"}],
    map=[
        {"field": "Email", "property": "email"},
        {"field": "Phone", "property": "phones", "mode": "add"},
        {"field": "Name", "property": "name"},
        {"field": "Total", "property": "total"},
    ],
)
VISITS = FileGoal(
    name="visits",
    link=[{"field": "Number", "property": "number"}],
    events=[{"type": "visit", "id": "Visit", "time": "At"}],
)
ANN, BOB = "n1,ann@x.org,11111,Ann,10", "n2,bob@x.org,22222,Bob,5"
AS_ANN, AS_BOB = {"name": "Ann", "total": 10.0}, {"name": "Bob", "total": 5.0}
BOTH_AS_BOB = {"name": "Bob", "total": 15.0}


def people(**email: Any) -> Profiles:
    """Return a model in which a telephone number shows who is one; the newest profile survives."""
    return Profiles.model_validate(
        {
            "properties": [
                {"name": "number", "identifier": True},
                {"name": "email", "type": "email", "identifier": True} | email,
                {"name": "phones", "identifier": True, "multiple": True},
                {"name": "name"},
                {"name": "total", "type": "decimal", "merge": "sum"},
            ],
            "segments": [EVERYBODY, RICH],
            "event_types": [{"name": "visit", "properties": [{"name": "store"}]}],
            "merge_rules": [{"property": "phones"}],
        }
    )


@pytest.fixture(params=["Sailthru", "Iterable"])
def crm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    """A platform without users, and an empty warehouse."""
    with platform(request.param, MergeSide(tmp_path, people())) as served:
        yield served


def deliver(crm: Platform, *rows: str) -> None:
    """Import a file."""
    path = f"/{crm.side.runs}.csv"
    crm.side.deliver(GOAL, [(path, "\n".join(["Number,Email,Phone,Name,Total", *rows, ""]).encode(), NOON)])


def unmerge(crm: Platform, number: str) -> None:
    """Take a profile out of the one that it is part of."""
    assert crm.side.unmerge(number).unmerged == 1


def exported(crm: Platform) -> list[str]:
    """Export twice, the second time without effect; return the names of the users who were taken off the list."""
    report = crm.export()
    removed, members = crm.names_removed(), crm.members()
    assert report.profiles_taken_off == len(removed)
    again = crm.export()
    assert (again.counters.profiles_written, again.profiles_taken_off, crm.removed) == (0, 0, [])
    assert crm.members() == members
    return removed


def test_an_absorbed_user_leaves_the_list(crm: Platform) -> None:
    """The survivor is sent with the values of both and never leaves; after an unmerge both are members again."""
    deliver(crm, ANN, BOB)
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN, "bob": AS_BOB}
    deliver(crm, "n2,,11111,,")
    assert exported(crm) == ["ann"]
    assert crm.members() == {"bob": BOTH_AS_BOB}
    unmerge(crm, "n1")
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN, "bob": AS_BOB}


def test_a_member_that_was_merged_leaves_with_its_segment(crm: Platform) -> None:
    """After merge and unmerge each member still leaves with its own profile."""
    deliver(crm, "n1,ann@x.org,11111,Ann,30", "n2,bob@x.org,22222,Bob,40")
    crm.declared = {"segment": "rich"}
    exported(crm)
    crm.side.merge("n1", "n2")
    exported(crm)
    unmerge(crm, "n2")
    assert exported(crm) == []
    deliver(crm, "n1,,,,1")
    assert exported(crm) == ["ann"]
    deliver(crm, "n2,,,,1")
    assert exported(crm) == ["bob"]
    assert crm.side.rows("select count(*) from warehouse.list_member") == [(0,)]


def test_a_survivor_that_leaves_the_segment_takes_the_absorbed_one_along(crm: Platform) -> None:
    """All users of a profile that is not in the segment any more leave the list."""
    deliver(crm, "n1,ann@x.org,11111,Ann,-30", "n2,bob@x.org,22222,Bob,40", "n3,cat@x.org,33333,Cat,50")
    crm.declared = {"segment": "rich"}
    exported(crm)
    crm.side.merge("n1", "n2")
    assert exported(crm) == ["bob"]
    unmerge(crm, "n1")
    assert exported(crm) == []
    assert set(crm.members()) == {"bob", "cat"}


def test_the_same_user_stays_on_the_list(crm: Platform) -> None:
    """A new profile with the same address and telephone number absorbs the member: one member throughout."""
    deliver(crm, ANN)
    exported(crm)
    deliver(crm, "n2,ann@x.org,11111,Anna,5")
    assert exported(crm) == []
    assert crm.members() == {"ann": {"name": "Anna", "total": 15.0}}
    unmerge(crm, "n1")
    assert exported(crm) == []  # both profiles stand for this user; the older one is sent
    assert crm.members() == {"ann": AS_ANN}


def test_a_survivor_without_an_address_is_the_absorbed_user(crm: Platform) -> None:
    """It shows the address of the absorbed profile, and so its user; after the unmerge it is no user any more."""
    deliver(crm, ANN, "n2,,22222,Bob,5")
    exported(crm)
    crm.side.merge("n1", "n2")
    assert exported(crm) == []
    assert crm.members() == {"ann": BOTH_AS_BOB}
    unmerge(crm, "n2")
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN}
    crm.declared = {"segment": "rich"}
    assert exported(crm) == ["ann"]


def test_the_address_of_the_absorbed_profile_may_show(crm: Platform) -> None:
    """Where the address that was said last shows, the survivor's former user leaves."""
    crm.side.declared = people(merge="oldest")
    deliver(crm, ANN, BOB)
    exported(crm)
    crm.side.merge("n1", "n2")
    assert exported(crm) == ["bob"]
    assert crm.members() == {"ann": BOTH_AS_BOB}
    unmerge(crm, "n1")
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN, "bob": AS_BOB}


def test_an_absorbed_profile_that_was_never_sent(crm: Platform) -> None:
    """A merge before the first export: one user is made; after the unmerge the other one as well."""
    deliver(crm, ANN, BOB, "n2,,11111,,")
    assert exported(crm) == []
    assert crm.members() == {"bob": BOTH_AS_BOB}
    unmerge(crm, "n1")
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN, "bob": AS_BOB}


def test_a_merge_that_is_taken_back_before_an_export(crm: Platform) -> None:
    """Members merged by hand and unmerged before any export stay members, with the same values."""
    deliver(crm, ANN, BOB)
    exported(crm)
    crm.side.merge("n1", "n2")
    unmerge(crm, "n2")
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN, "bob": AS_BOB}


def test_a_survivor_that_lent_an_address_gives_the_user_back(crm: Platform) -> None:
    """A user who was made for the survivor is that of the unmerged profile, and leaves with it."""
    deliver(crm, "n1,ann@x.org,11111,Ann,30", "n2,,22222,Bob,40")
    crm.declared = {"segment": "rich"}
    crm.side.merge("n1", "n2")
    exported(crm)
    assert crm.members() == {"ann": {"name": "Bob", "total": 70.0}}
    unmerge(crm, "n1")
    exported(crm)
    assert crm.members() == {"ann": {"name": "Ann", "total": 30.0}}
    deliver(crm, "n1,,,,1")
    assert exported(crm) == ["ann"]
    assert crm.members() == {}


def test_three_members_become_one_after_the_other(crm: Platform) -> None:
    """Each merge takes one user off the list; a split gives back the one that leaves."""
    deliver(crm, ANN, BOB, "n3,cat@x.org,33333,Cat,1")
    exported(crm)
    crm.side.merge("n1", "n2")
    assert exported(crm) == ["ann"]
    crm.side.merge("n2", "n3")
    assert exported(crm) == ["bob"]
    assert crm.members() == {"cat": {"name": "Cat", "total": 16.0}}
    unmerge(crm, "n1")
    assert exported(crm) == []
    assert crm.members() == {"ann": AS_ANN, "cat": {"name": "Cat", "total": 6.0}}


@pytest.mark.parametrize("crm", ["Iterable"], indirect=True)
def test_an_event_is_sent_again_for_another_user(crm: Platform) -> None:
    """Events of an absorbed profile go to the survivor's user, once, and after an unmerge to their own again."""
    crm.declared = {"events": [{"type": "visit", "to": "Store visit"}]}
    deliver(crm, ANN, BOB)
    rows = b"Number,Visit,At\nn1,v1,2026-04-01\nn2,v2,2026-04-02\n"
    crm.side.deliver(VISITS, [("/visits.csv", rows, NOON)])
    sent = []
    for change in (None, crm.side.merge, None, crm.side.unmerge, None):
        if change:
            change(*("n1", "n2")[: 2 if change == crm.side.merge else 1])
        sent.append(crm.export().counters.events_written)
    assert sent == [2, 1, 0, 1, 0]


@pytest.mark.parametrize("crm", ["Sailthru"], indirect=True)
def test_a_refused_removal_is_repeated(crm: Platform) -> None:
    """An absorbed user who could not be taken off the list stays known, and leaves with the next export."""
    assert isinstance(crm, Sailthru)
    deliver(crm, ANN, BOB)
    exported(crm)
    crm.side.merge("n1", "n2")
    crm.box.fail("user", "POST", status=400)
    crm.export()
    assert set(crm.members()) == {"ann", "bob"}
    assert exported(crm) == ["ann"]
    assert crm.members() == {"bob": BOTH_AS_BOB}
