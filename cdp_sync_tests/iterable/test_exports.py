"""Segments become users and lists of an Iterable on loopback."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import FieldsRefused, ListUnknown
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import DAY, MINUTE, iterable
from cdp_sync_tests.iterable.exporting import Exchange, addresses, audience, exchange, mapped, profile

NAMES = ("ann", "bob", "cat")


@pytest.fixture
def crm(box: IterableSandbox, tmp_path: Path) -> Exchange:
    """Three people, and nobody at Iterable."""
    made = exchange(tmp_path / "crm", box, audience())
    made.hold(profile(name) for name in NAMES)
    return made


def test_a_segment_becomes_users(crm: Exchange) -> None:
    """Those who are not there are created, the others changed; run again nobody is sent."""
    crm.box.load([{"email": "ann@example.com", "dataFields": {"plan": "pro"}}])
    assert crm.run().counters.profiles_written == 3
    assert crm.emails() == addresses(NAMES)
    assert crm.fields("ann@example.com") == {"plan": "pro", "text_one": "ann"}
    written = crm.written()
    counters = crm.run().counters
    assert (counters.profiles_same, counters.profiles_written, crm.written()) == (3, 0, written)


def test_only_profiles_that_changed_are_sent(crm: Exchange) -> None:
    """One profile changes: that user is changed, by one call."""
    crm.run()
    written = crm.written()
    crm.change("update warehouse.profile set text_one = 'new' where email = 'bob@example.com'")
    counters = crm.run().counters
    assert (counters.profiles_same, counters.profiles_written) == (2, 1)
    assert crm.fields("bob@example.com") == {"text_one": "new"}
    assert crm.written() == written + 1


WHOLE = {
    "text_one": 'Zoë "Z",\nX', "number_one": 7, "decimal_one": Decimal("2.5"), "date_one": date(1990, 2, 1),
    "datetime_one": datetime(2021, 7, 13, 15, 22, 0, 123_900, UTC), "boolean_one": False, "text_list": ["a", 'b"c'],
    "number_list": [3, -4], "decimal_list": [Decimal(4)], "date_list": [date(2020, 2, 29)], "boolean_list": [True],
}  # fmt: skip


def test_values_have_the_types_of_their_properties(crm: Exchange) -> None:
    """Numbers, decimals with a fraction, dates in the form of Iterable, arrays, and what is no property."""
    columns = [mapped(name) for name in WHOLE]
    columns += [{"field": "who", "profile_id": True}, {"field": "inside", "segments": "all"}]
    crm.goal = audience(map=[*columns, {"field": "source", "text": "cdp"}, mapped("text_one", "address.city")])
    crm.hold([profile("zoe", **WHOLE) | {"profile_id": "00000000-0000-0000-0000-0000000000aa"}])
    assert crm.run().counters.profiles_written == 4
    midnight = "00:00:00 +00:00"
    assert crm.fields("zoe@example.com") == {
        **WHOLE, "decimal_one": 2.5, "date_one": f"1990-02-01 {midnight}", "datetime_one": "2021-07-13 15:22:00 +00:00",
        "decimal_list": [4.0], "date_list": [f"2020-02-29 {midnight}"], "source": "cdp",
        "who": "00000000-0000-0000-0000-0000000000aa", "inside": ["everybody", "keen"],
        "address": {"city": 'Zoë "Z",\nX'},
    }  # fmt: skip
    kinds = {"number_one": "long", "decimal_one": "double", "decimal_list": "double", "address.city": "string"}
    assert crm.box.project.fields.types.items() >= (kinds | {"date_one": "date", "inside": "string"}).items()


def test_an_object_keeps_its_other_fields(crm: Exchange) -> None:
    """A nested field is merged into the object of the user."""
    crm.box.load([{"email": "ann@example.com", "dataFields": {"address": {"city": "X", "zip": "1"}}}])
    crm.goal = audience(map=[mapped("text_one", "address.city")])
    crm.run()
    assert crm.fields("ann@example.com") == {"address": {"city": "ann", "zip": "1"}}


@pytest.mark.parametrize(("empty", "left"), [("keep", {"plan": "x", "more": {"plan": "y"}}), ("clear", {"more": {}})])
def test_a_value_that_is_gone(empty: str, left: dict[str, Any], crm: Exchange) -> None:
    """It is kept at Iterable, or its field is removed; also within an object."""
    columns = [mapped("text_one"), mapped("number_one", "plan"), mapped("number_list", "more.plan")]
    crm.box.load([{"email": "ann@example.com", "dataFields": {"plan": "x", "more": {"plan": "y"}}}])
    crm.box.project.fields.types |= {"plan": "long", "more.plan": "long"}
    crm.goal = audience(map=columns, empty=empty)
    crm.run()
    assert crm.fields("ann@example.com") == {"text_one": "ann", **left}


@pytest.mark.parametrize("few", [1000, 0], ids=["one by one", "by an export"])
def test_without_leave_nobody_is_created(few: int, crm: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only users who exist get values; the others count as unmatched, and the next run looks for them again."""
    monkeypatch.setattr("cdp_sync.connectors.iterable.audience.FEW", few)
    crm.box.load([{"email": "ann@example.com"}])
    crm.goal = audience(create_users=False, lists=["Red"])
    counters = crm.run().counters
    assert (counters.profiles_written, counters.profiles_unmatched) == (1, 2)
    assert (crm.emails(), crm.on("Red")) == (addresses({"ann"}), addresses({"ann"}))
    crm.box.load([{"email": "bob@example.com"}])
    counters = crm.run().counters
    assert (counters.profiles_same, counters.profiles_written, counters.profiles_unmatched) == (1, 1, 1)


def test_users_are_put_on_lists_and_taken_off(crm: Exchange) -> None:
    """A profile that leaves the segment leaves the lists, unless somebody else had put the user there."""
    crm.box.load([{"list": "Vip"}, {"email": "ann@example.com", "lists": ["Vip"]}])
    crm.goal = audience(segment="keen", lists=["Vip", "Big"], remove_from_lists=True)
    crm.run()
    assert crm.on("Vip") == crm.on("Big") == addresses(NAMES)
    crm.change("update warehouse.profile set keen = false where email < 'c'")
    assert crm.run().profiles_taken_off == 2
    assert (crm.on("Vip"), crm.on("Big")) == (addresses({"ann", "cat"}), addresses({"cat"}))
    crm.change("update warehouse.profile set keen = true where email = 'bob@example.com'")
    crm.run()
    assert crm.on("Big") == addresses({"bob", "cat"})


def test_the_user_of_a_former_address_leaves_the_list(crm: Exchange) -> None:
    """A profile whose address changes is another user: that one is put on the list, and the former one leaves it."""
    crm.goal = audience(lists=["News"], remove_from_lists=True)
    crm.run()
    crm.change("update warehouse.profile set email = 'anna@example.com' where email = 'ann@example.com'")
    report = crm.run()
    assert (report.counters.profiles_written, report.profiles_taken_off) == (1, 1)
    assert crm.on("News") == addresses(("anna", "bob", "cat"))
    crm.change("delete from warehouse.profile where email = 'anna@example.com'")
    crm.run()
    assert crm.on("News") == addresses(("bob", "cat"))


def test_profiles_may_swap_addresses(crm: Exchange) -> None:
    """Two profiles swap their addresses: both users stay on the list."""
    crm.goal = audience(lists=["News"], remove_from_lists=True)
    crm.run()
    crm.change(
        """update warehouse.profile set email = if(email[1] = 'a', 'bob', 'ann') || '@example.com'
        where email[1] <> 'c'"""
    )
    assert crm.run().counters.profiles_written == 2
    assert crm.on("News") == addresses(NAMES)


def test_a_goal_may_have_lists_alone(crm: Exchange) -> None:
    """Users are created by being put on a list, which is named by its id."""
    crm.box.load([{"list": "Red", "list_id": 77}])
    crm.goal = audience(map=[], lists=[77])
    assert crm.run().counters.profiles_written == 3
    assert crm.on("Red") == addresses(NAMES)
    assert crm.box.calls.count("users/bulkUpdate", "POST") == 0


def test_a_list_that_was_just_made_is_waited_for(crm: Exchange) -> None:
    """It may not be known for a while."""
    crm.box.lists_usable_after = MINUTE
    crm.goal = audience(lists=["Red"])
    assert crm.run().counters.profiles_written == 3
    assert crm.on("Red") == addresses(NAMES)
    assert len(crm.box.project.lists) == 1


@pytest.mark.parametrize("named", ["Vips", 5])
def test_a_list_that_cannot_be_written_to_is_an_error(named: Any, crm: Exchange) -> None:
    """A dynamic list, or an id that there is none of; nobody is sent."""
    crm.box.load([{"list": "Vips", "rule": ["plan", "pro"]}])
    crm.goal = audience(lists=[named])
    with pytest.raises(ListUnknown, match=r"is dynamic|no list"):
        crm.run()
    assert crm.written() == 0


@pytest.mark.parametrize(
    ("kind", "declared", "problem"),
    [
        ("boolean", {}, "its type is boolean at Iterable; text needs string"),
        (None, {"create_fields": False}, "create_fields is off; did you mean 'text_two'"),
    ],
)
def test_fields_that_do_not_fit_are_an_error(kind: Any, declared: Any, problem: str, crm: Exchange) -> None:
    """Each by name, before anybody is sent."""
    crm.box.project.fields.types |= {"text_one": kind} if kind else {"text_two": "string"}
    crm.goal = audience(**declared)
    with pytest.raises(FieldsRefused, match=f"field 'text_one': .*{problem}"):
        crm.run()
    assert crm.written() == 0


def test_users_of_a_project_with_both_keys(tmp_path: Path) -> None:
    """The first link that a profile has names the user; a mapped key goes along, and contradictions are refused."""
    with iterable("hybrid") as box:
        links = [{"field": "userId", "property": "customer"}, {"field": "email", "property": "email"}]
        goal = audience(link=links, map=[mapped("text_one"), mapped("email")], lists=["Red"])
        crm = exchange(tmp_path / "crm", box, goal, project_type="hybrid")
        crm.hold([profile("ann", customer="A1"), profile("bob"), profile("cat", customer="C1"), {"email": None}])
        box.load([{"email": "old@example.com", "userId": "C1"}])
        counters = crm.run().counters
        assert (counters.profiles_written, counters.profiles_not_deliverable) == (2, 1)
        assert crm.user("ann@example.com").user_id == "A1"
        assert crm.user("bob@example.com").user_id is None
        assert crm.user("old@example.com").user_id == "C1"
        assert crm.reasons() == [("Iterable refuses the user: address and userId belong to different users.", 1)]
        assert crm.on("Red") == addresses({"ann", "bob"})


def test_users_of_a_project_with_user_ids(tmp_path: Path) -> None:
    """Ids count with case; one that is too long is named."""
    with iterable("user_id") as box:
        goal = audience(link=[{"field": "userId", "property": "customer"}], lists=["Red"])
        crm = exchange(tmp_path / "crm", box, goal, project_type="user_id")
        crm.hold([{"customer": "a", "text_one": "1"}, {"customer": "A", "text_one": "2"}])
        crm.hold([{"customer": "x" * 53, "text_one": "3", "profile_id": "00000000-0000-0000-0000-0000000000aa"}])
        assert crm.run().counters.profiles_not_deliverable == 1
        assert crm.on("Red") == {"a", "A"}
        assert crm.reasons() == [("Iterable refuses the user: the userId is invalid.", 1)]


def test_a_change_that_shows_late_is_waited_for(crm: Exchange) -> None:
    """Users are read back until they show what was sent."""
    crm.box.visible_after = MINUTE
    began = crm.box.clock()
    assert crm.run().counters.profiles_written == 3
    assert MINUTE <= crm.box.clock() - began < DAY
