"""Faults on the way to Iterable: transient ones are retried, users at fault are named, nothing is lost or doubled."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.errors import AuthenticationFailed, FieldsRefused, Transient
from cdp_sync.exporting.audiences.port import FORGOTTEN
from cdp_sync.sandbox.api import Faults
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync.sandbox.iterable.project import hashed
from cdp_sync_tests.iterable.exchange import iterable
from cdp_sync_tests.iterable.exporting import Exchange, addresses, audience, exchange, mapped, profile

PEOPLE = [f"p{number}" for number in range(12)]


@pytest.fixture
def crm(box: IterableSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """Twelve people who are to be put on a list, five to a call."""
    monkeypatch.setattr("cdp_sync.connectors.iterable.batches.MOST_USERS", 5)
    made = exchange(tmp_path / "crm", box, audience(lists=["Red"]))
    made.hold(profile(name) for name in PEOPLE)
    return made


def check_delivered(crm: Exchange, *refused: str, **options: Any) -> None:
    """Export, and check that all others are there once and on the list, and that they are not sent again."""
    counters = crm.run(**options).counters
    there = set(PEOPLE) - set(refused)
    assert (counters.profiles_written, counters.profiles_not_deliverable) == (len(there), len(refused))
    assert crm.on("Red") == addresses(there)
    assert all(crm.fields(f"{name}@example.com") == {"text_one": name} for name in there)
    assert crm.rows("select count(*) from warehouse.list_member") == [(len(there),)]
    assert crm.run().counters.profiles_same == len(there)


@pytest.mark.parametrize("endpoint", ["users/bulkUpdate", "lists/subscribe", "lists", "users/getFields", "users"])
@pytest.mark.parametrize(
    "fault", [{"status": 500, "times": 2}, {"cut": True, "times": 2}, {"status": 429, "times": 2}],
    ids=["500", "cut", "429"],
)  # fmt: skip
def test_calls_that_fail_are_made_again(fault: dict[str, Any], endpoint: str, crm: Exchange) -> None:
    """Server errors, refusals by rate, and lines cut in the middle of an answer, whose calls were done."""
    method: Any = "GET" if endpoint in ("lists", "users/getFields", "users") else "POST"
    crm.box.fail(endpoint, method, **fault)
    check_delivered(crm, limiter=RateLimiter(length=0.01))


def test_a_batch_that_fails_again_and_again_is_left_to_the_next_run(crm: Exchange) -> None:
    """Its users have an outcome by name; the other batches arrive."""
    crm.box.fail("users/bulkUpdate", "POST", status=500, times=3)
    crm.goal = audience(map=[mapped("text_one")])
    counters = crm.run(attempts=1).counters
    assert counters.profiles_not_deliverable == 12
    assert "failed" in crm.reasons()[0][0]
    assert crm.run().counters.profiles_written == 12


def test_an_iterable_that_cannot_be_reached_ends_the_run(crm: Exchange) -> None:
    """As what may pass; the next run delivers everybody."""
    crm.box.fail("users/getFields", "GET", status=500, times=50)
    with pytest.raises(Transient):
        crm.run()
    crm.box.faults = Faults()
    check_delivered(crm)


def test_a_wrong_key_ends_the_run(crm: Exchange) -> None:
    """Nothing is recorded as delivered."""
    crm.box.api_key = "another"
    with pytest.raises(AuthenticationFailed):
        crm.run()
    assert crm.rows("select * from warehouse.exported_profile") == []


def test_invalid_users_are_named(crm: Exchange) -> None:
    """Those of the answer, in its lists of failures; others of the call are written."""
    crm.change("update warehouse.profile set email = 'p3' where text_one = 'p3'")
    check_delivered(crm, "p3")
    assert crm.reasons() == [("Iterable refuses the user: the address is invalid.", 1)]


@pytest.mark.parametrize("whole", [False, True], ids=["by user", "as a whole"])
def test_values_of_another_type_are_named(crm: Exchange, *, whole: bool) -> None:
    """A text like a date makes a field of dates; texts are refused there, by user or with their whole call."""
    crm.box.refuses_whole_batches = whole
    crm.change("update warehouse.profile set text_one = '2026-01-31' where text_one <> 'p7'")
    counters = crm.run().counters
    assert (counters.profiles_written, counters.profiles_not_deliverable) == (11, 1)
    ((reason, _),) = crm.reasons()
    assert "type" in reason
    assert "p7" not in reason
    assert crm.on("Red") == addresses(set(PEOPLE) - {"p7"})


@pytest.mark.parametrize("status", [413, 400])
def test_a_call_that_is_too_large_is_split(status: int, crm: Exchange) -> None:
    """By users, until it is taken."""
    crm.box.most_users, crm.box.status_of_large_batches = 2, status
    check_delivered(crm)


def test_a_user_who_is_too_large_stands_alone(crm: Exchange) -> None:
    """The others are written."""
    crm.box.most_bytes = 2000
    crm.change("update warehouse.profile set text_one = repeat('x', 2000) where text_one = 'p5'")
    counters = crm.run().counters
    assert (counters.profiles_written, counters.profiles_not_deliverable) == (11, 1)
    ((reason, _),) = crm.reasons()
    assert "it holds too much" in reason


def test_users_who_are_forgotten_are_not_tried_again(crm: Exchange) -> None:
    """Later runs count them with the reason, and send nobody; another address is another user."""
    crm.box.project.forgotten["email"].add(hashed("p4@example.com"))
    check_delivered(crm, "p4")
    written = crm.written()
    crm.change("update warehouse.profile set number_one = 1, text_one = 'new' where text_one = 'p4'")
    counters = crm.run().counters
    assert (counters.profiles_not_deliverable, counters.profiles_written, crm.written()) == (1, 0, written)
    assert crm.reasons() == [(FORGOTTEN, 1)]
    crm.change("update warehouse.profile set email = 'other@example.com' where text_one = 'new'")
    assert crm.run().counters.profiles_written == 1


def test_one_user_by_two_links(crm: Exchange) -> None:
    """A profile's second address is the first one of another profile: both are the same user, who is sent once."""
    links = [{"field": "email", "property": name} for name in ("email", "customer")]
    crm.goal = audience(lists=["Red"], link=links)
    crm.change("update warehouse.profile set customer = 'p1@example.com', email = null where text_one = 'p2'")
    check_delivered(crm, "p2")
    assert crm.fields("p1@example.com") == {"text_one": "p1"}


def test_two_profiles_of_one_user(crm: Exchange) -> None:
    """The older profile is sent; the other one is named, also by later runs, until the first one is gone."""
    crm.change("update warehouse.profile set email = 'p1@example.com' where text_one = 'p2'")
    check_delivered(crm, "p2")
    assert crm.fields("p1@example.com") == {"text_one": "p1"}
    assert crm.run().counters.profiles_not_deliverable == 1
    assert crm.reasons() == [("Another profile of the segment stands for the same user.", 1)]
    crm.change("delete from warehouse.profile where text_one = 'p1'")
    assert crm.run().counters.profiles_written == 1
    assert crm.fields("p1@example.com") == {"text_one": "p2"}


def test_a_project_of_another_type(tmp_path: Path) -> None:
    """Nobody can be created by an address where userIds identify users: each has that reason."""
    with iterable("user_id") as box:
        crm = exchange(tmp_path / "crm", box, audience())
        crm.hold(profile(name) for name in PEOPLE)
        assert crm.run().counters.profiles_not_deliverable == 12
        ((reason, _),) = crm.reasons()
        assert "project_type may be wrong" in reason


def test_a_project_with_too_many_fields(crm: Exchange) -> None:
    """Is an error that says so; nobody is split off."""
    crm.box.project.fields.most = 0
    with pytest.raises(FieldsRefused, match="as many fields as it may have"):
        crm.run()
    assert crm.box.calls.count("users/bulkUpdate", "POST") <= 3


@pytest.mark.parametrize("lists", [[], ["Red"]])
def test_what_is_accepted_and_never_shows(lists: list[str], crm: Exchange) -> None:
    """The users who were read back are named, and sent again by the next run; with `verify: all` that is everybody."""
    crm.box.visible_after = 1e9
    crm.goal = audience(verify="all", lists=lists)
    counters = crm.run().counters
    assert (counters.profiles_written, counters.profiles_not_deliverable) == (0, 12)
    assert "does not show it" in crm.reasons()[0][0]
    crm.box.visible_after = 0.0
    crm.box.clock.advance(1e9)
    assert crm.run().counters.profiles_written == 12


def test_a_user_whose_own_fields_do_not_have_a_list(crm: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list itself is asked then."""
    monkeypatch.setattr("cdp_sync.connectors.iterable.verification._MEMBERSHIPS", ())
    check_delivered(crm)
    assert crm.box.calls.count("lists/getUsers", "GET") == 1


@pytest.mark.parametrize("trouble", ["it does not show", "calls fail"])
def test_users_who_may_be_on_a_list_leave_it(trouble: str, crm: Exchange) -> None:
    """A user without a proof counts as put there by the goal, unless it was there before."""
    crm.box.load([{"list": "Red"}, {"email": "p0@example.com", "lists": ["Red"]}])
    crm.goal = audience(segment="keen", lists=["Red"], remove_from_lists=True, verify="all")
    if trouble == "it does not show":
        crm.box.visible_after = 1e9
    else:
        crm.box.fail("lists/subscribe", "POST", status=500, times=3)
    assert crm.run(attempts=1).counters.profiles_not_deliverable == 12
    crm.box.visible_after = 0.0
    crm.box.clock.advance(1e9)
    crm.change("update warehouse.profile set keen = false where text_one < 'p2'")  # p0, p1, p10 and p11
    report = crm.run()
    assert (report.counters.profiles_written, report.profiles_taken_off) == (8, 3)
    assert crm.on("Red") == addresses(set(PEOPLE) - {"p1", "p10", "p11"})
