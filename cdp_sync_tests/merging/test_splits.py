"""Splits, unmerges and decisions that other systems are reported to get wrong, by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import CannotMerge, CannotUnmerge, CdpSyncError, UnknownName
from cdp_sync.model import FileGoal, ImportReport, Profiles
from cdp_sync_tests.merging.merge_side import MergeSide, Texts

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

PEOPLE = Profiles(
    properties=[
        {"name": "number", "identifier": True},
        {"name": "emails", "identifier": True, "multiple": True},
        {"name": "passport", "unique": True},
        {"name": "name"},
        {"name": "city", "merge": "latest"},
        {"name": "total", "type": "decimal", "merge": "sum"},
        {"name": "tags", "multiple": True},
    ],
    event_types=[{"name": "order", "properties": [{"name": "sku"}]}],
    merge_rules=[{"property": "emails"}],
    survivor="oldest",
)
GOAL = FileGoal(
    name="people",
    format={"multi_value": "|"},
    link=[{"field": "Number", "property": "number"}],
    map=[
        {"field": "Email", "property": "emails", "mode": "add"},
        {"field": "Passport", "property": "passport"},
        {"field": "Name", "property": "name"},
        {"field": "City", "property": "city"},
        {"field": "Total", "property": "total", "mode": "sum"},
        {"field": "Tags", "property": "tags", "mode": "add"},
    ],
)
ORDERS = FileGoal(
    name="orders",
    link=[{"field": "Number", "property": "number"}],
    events=[{"type": "order", "id": "Order", "time": "At"}],
)


@pytest.fixture
def side(tmp_path: Path) -> MergeSide:
    """The product with an empty warehouse."""
    return MergeSide(tmp_path, PEOPLE)


def deliver(side: MergeSide, path: str, *rows: str, columns: str = "Number,Email,Name,Total,Tags") -> ImportReport:
    """Import a file."""
    goal = ORDERS if "Order" in columns else GOAL
    return side.deliver(goal, [(path, "\n".join([columns, *rows, ""]).encode(), NOON)])


def shown(side: MergeSide) -> dict[str, Texts]:
    """Return what live profiles show, by the number or the first address of the part that survives."""
    seen = side.look()
    names = {place: own.get("number") or own.get("emails", "") for place, own in seen.own.items()}
    return {names[place]: values for place, values in seen.shown.items()}


def refused(side: MergeSide, kind: type[CdpSyncError], decide: Any) -> str:
    """Check that a decision is refused and changes nothing; return the message."""
    before = side.look(), side.rows("from warehouse.decision order by all")
    with pytest.raises(kind) as error:
        decide()
    assert (side.look(), side.rows("from warehouse.decision order by all")) == before
    assert "@" not in str(error.value)
    return str(error.value)


ANN = {"number": "n1", "emails": "ann@x", "name": "Ann", "total": "10", "tags": "red"}
ANNA = {"number": "n2", "emails": "ann@x;anna@x", "name": "Anna", "total": "5", "tags": "blue"}


def two(side: MergeSide) -> None:
    """Import two profiles that a rule makes one."""
    report = deliver(side, "/1.csv", "n1,ann@x,Ann,10,red", "n2,ann@x|anna@x,Anna,5,blue")
    assert report.counters.profiles_merged == 1
    both = {"emails": "ann@x;anna@x", "total": "15", "tags": "red;blue"}
    assert shown(side) == {"n1": ANN | both}


@pytest.mark.parametrize("first", ["n1", "n2"])
def test_either_side_leaves_with_what_it_had(first: str, side: MergeSide) -> None:
    """Whichever is taken out, also the survivor, keeps its id and its values, and so does the other."""
    two(side)
    ids = dict(side.rows("select number, profile_id::text from warehouse.profile"))
    side.unmerge(first)
    assert shown(side) == {"n1": ANN, "n2": ANNA}
    assert dict(side.rows("select number, profile_id::text from warehouse.profile")) == ids


def test_the_creating_identifier_leaves(side: MergeSide) -> None:
    """The identifier by which a profile was created is split off, and the profile keeps the rest (PostHog 104939)."""
    deliver(side, "/1.csv", "n1,ann@x,Ann,10,red")
    assert side.unmerge("ann@x", identifiers=["n1"]).unmerged == 0
    rest = {name: text for name, text in ANN.items() if name != "number"}
    assert shown(side) == {"ann@x": rest, "n1": {"number": "n1"}}
    deliver(side, "/2.csv", "n1,,Eve,1,")
    assert shown(side) == {"ann@x": rest, "n1": {"number": "n1", "name": "Eve", "total": "1"}}


def test_the_creating_identifier_of_a_survivor_leaves(side: MergeSide) -> None:
    """The same from a profile that others are merged into: these stay with the rest."""
    two(side)
    side.unmerge("n2", identifiers=["n1"])
    rest = {"number": "n2", "emails": "ann@x;anna@x", "name": "Ann", "total": "15", "tags": "red;blue"}
    assert shown(side) == {"ann@x": rest, "n1": {"number": "n1"}}


def test_the_next_file_leaves_them_apart(side: MergeSide) -> None:
    """Files that say once more what merged them, the same or new ones, leave them apart (moodle 188)."""
    two(side)
    side.unmerge("n1")
    files = (
        ("/1.csv", "n1,ann@x,Ann,10,red", "n2,ann@x|anna@x,Anna,5,blue", ""),
        ("/2.csv", "n1,ann@x,,,", "n2,ann@x,,,"),
        ("/3.csv", "n1,anna@x|both@x,,,", "n2,both@x,,,"),
    )
    for path, *rows in files:
        assert deliver(side, path, *rows).counters.profiles_merged == 0
    assert side.apply_rules().merged == 0
    assert set(shown(side)) == {"n1", "n2"}
    assert [each.guard for each in side.apply_rules(preview=True).blocked] == ["keep_apart"]


def test_a_third_profile_does_not_bring_them_together(side: MergeSide) -> None:
    """A new profile that shares an address with both of them is merged with neither."""
    two(side)
    side.unmerge("n1")
    deliver(side, "/2.csv", "n1,one@x,,,", "n2,two@x,,,", "n3,one@x|two@x,Cid,,")
    assert set(shown(side)) == {"n1", "n2", "n3"}


def test_a_split_after_later_edits(side: MergeSide) -> None:
    """What came after the merge goes to the side that its rows name (msgvault 638)."""
    two(side)
    deliver(side, "/2.csv", "n2,new@x,Anne,7,green", "n1,,Annie,1,")
    deliver(side, "/3.csv", "n1,o1,2024-05-01", "n2,o2,2024-05-02", columns="Number,Order,At")
    assert shown(side)["n1"]["total"] == "23"
    assert set(side.look().events.values()) == {0}
    side.unmerge("n2")
    assert shown(side) == {
        "n1": ANN | {"name": "Annie", "total": "11"},
        "n2": ANNA | {"emails": "ann@x;anna@x;new@x", "name": "Anne", "total": "12", "tags": "blue;green"},
    }
    assert side.look().events == {"o1": 0, "o2": 1}


def test_a_partial_split_leaves_the_rest_as_it_is(side: MergeSide) -> None:
    """Whole parts and single identifiers leave together as one profile; the rest stays one (PostHog 55691)."""
    deliver(side, "/1.csv", "n1,ann@x,Ann,10,red", "n2,ann@x,Anna,5,blue", "n3,ann@x|cid@x,Cid,3,")
    deliver(side, "/2.csv", "n4,dan@x,Dan,1,green")
    side.look()
    side.merge(side.ids[3], side.ids[0])
    side.unmerge("n1", identifiers=["n4", "dan@x", "cid@x"])
    together = {"number": "n4", "emails": "dan@x;cid@x", "name": "Dan", "total": "1", "tags": "green"}
    assert shown(side) == {
        "n1": {"number": "n1", "emails": "ann@x", "name": "Ann", "total": "18", "tags": "red;blue"},
        "n4": together,
    }
    deliver(side, "/3.csv", "n3,cid@x,,,", "n4,ann@x,,,")
    assert {name: values["number"] for name, values in shown(side).items()} == {"n1": "n1", "n4": "n4"}


def test_a_value_shared_by_thousands_merges_nobody(side: MergeSide) -> None:
    """A placeholder address makes no mega-person, and what it does not say is merged all the same (PostHog 5898)."""
    rows = [f"n{n},nobody@example.com|own{n // 2}@x,,1," for n in range(2500)]
    report = deliver(side, "/1.csv", *rows)
    assert report.counters.profiles_merged == 1250
    assert side.rows("select count(*) from warehouse.live_profile") == [(1250,)]


def test_a_value_that_comes_to_be_shared_by_many_lets_go(side: MergeSide) -> None:
    """Twenty profiles with one value are merged; the twenty-first takes all of them apart."""
    deliver(side, "/1.csv", *[f"n{n},desk@x,,1," for n in range(20)])
    assert len(shown(side)) == 1
    assert deliver(side, "/2.csv", "n20,desk@x,,1,").counters.profiles_unmerged == 19
    assert len(shown(side)) == 21


def test_different_unique_values_stay_apart(side: MergeSide) -> None:
    """Two profiles with an address in common and different passports are two people, in whatever order it is said."""
    columns = "Number,Email,Passport"
    deliver(side, "/1.csv", "n1,ann@x,P1", "n2,ann@x,P2", columns=columns)
    assert set(shown(side)) == {"n1", "n2"}
    deliver(side, "/2.csv", "n3,cid@x,", "n4,cid@x,", columns=columns)
    assert set(shown(side)) == {"n1", "n2", "n3"}
    deliver(side, "/3.csv", "n3,,P3", "n4,,P4", columns=columns)
    assert set(shown(side)) == {"n1", "n2", "n3", "n4"}


def test_one_that_was_merged_again_leaves(side: MergeSide) -> None:
    """A profile that is merged into one that is then merged into another leaves alone, and the others stay one."""
    deliver(side, "/1.csv", "n2,bob@x,Bob,2,b", "n3,cid@x,Cid,3,c", "n1,ann@x,Ann,1,a")
    side.merge("n3", "n1")
    side.merge("n2", "n3")
    assert shown(side).keys() == {"n2"}
    assert shown(side)["n2"]["total"] == "6"
    side.unmerge("n1")
    assert {name: values["total"] for name, values in shown(side).items()} == {"n2": "5", "n1": "1"}


def test_the_one_in_the_middle_leaves(side: MergeSide) -> None:
    """Where only the one that leaves connected the others, these part as well; who has evidence stays."""
    deliver(side, "/1.csv", "n1,a@xx,,,", "n2,a@xx|b@xx,,,", "n3,b@xx|c@xx,,,", "n4,c@xx,,,")
    assert shown(side).keys() == {"n1"}
    side.unmerge("n2")
    assert shown(side).keys() == {"n1", "n2", "n3"}
    assert side.look().live == {0: 0, 1: 1, 2: 2, 3: 2}


def test_decisions_in_a_circle(side: MergeSide) -> None:
    """Merges by hand in a circle end with one profile; the one that closes it is refused."""
    deliver(side, "/1.csv", "n1,a@xx,,1,", "n2,b@xx,,2,", "n3,c@xx,,3,")
    side.merge("n1", "n2")
    side.merge("n2", "n3")
    refused(side, CannotMerge, lambda: side.merge("n3", "n1"))
    assert shown(side)["n1"]["total"] == "6"
    side.unmerge("n1")
    assert {name: values["total"] for name, values in shown(side).items()} == {"n1": "1", "n2": "5"}
    side.merge("n1", "n3")
    side.unmerge("n2")
    assert {name: values["total"] for name, values in shown(side).items()} == {"n1": "4", "n2": "2"}


def test_a_merge_by_hand_outranks_an_earlier_unmerge(side: MergeSide) -> None:
    """Merged again by hand, profiles are one as before, and can be taken apart again."""
    two(side)
    before = shown(side)
    for _ in range(3):
        side.unmerge("n1")
        assert shown(side) == {"n1": ANN, "n2": ANNA}
        side.merge("n2", "n1")
        assert shown(side) == before


def test_what_cannot_be_decided_changes_nothing(side: MergeSide) -> None:
    """Unmerging what never merged, or twice, or from another one; merging one with itself; and unknown names."""
    two(side)
    deliver(side, "/2.csv", "n3,cid@x,Cid,,")
    refused(side, CannotUnmerge, lambda: side.unmerge("n3"))
    refused(side, CannotUnmerge, lambda: side.unmerge("n1", survivor="n3"))
    refused(side, CannotUnmerge, lambda: side.unmerge("n1", identifiers=["n3"]))
    refused(side, CannotUnmerge, lambda: side.unmerge("n1", identifiers=["n1", "n2", "ann@x", "anna@x"]))
    refused(side, CannotUnmerge, lambda: side.unmerge("n1", identifiers=["n1", "n2"]))
    refused(side, CannotMerge, lambda: side.merge("n1", "n1"))
    refused(side, CannotMerge, lambda: side.merge("n1", "n2"))
    refused(side, UnknownName, lambda: side.merge("n1", "nobody@x"))
    refused(side, UnknownName, lambda: side.unmerge("00000000-0000-7000-8000-000000000001"))
    side.unmerge("n1", survivor="n2")
    refused(side, CannotUnmerge, lambda: side.unmerge("n1"))


def test_a_preview_changes_nothing(side: MergeSide) -> None:
    """A preview says what would be, and leaves all as it is."""
    two(side)
    deliver(side, "/2.csv", "n3,cid@x,Cid,,")
    before = side.look(), side.rows("from warehouse.decision order by all")
    assert side.unmerge("n2", preview=True).unmerged == 1
    assert side.merge("n1", "n3", preview=True).merged == 1
    assert (side.look(), side.rows("from warehouse.decision order by all")) == before


def test_an_address_of_several_parts_names_their_profile(side: MergeSide) -> None:
    """Where all parts that have an identifier are one profile, it names that one."""
    two(side)
    deliver(side, "/2.csv", "n3,cid@x,Cid,,")
    side.merge("cid@x", "ann@x")
    assert shown(side).keys() == {"n1"}
    side.unmerge("ann@x", identifiers=["cid@x", "n3"])
    assert shown(side).keys() == {"n1", "n3"}


def test_rows_name_the_part_that_has_their_identifier(side: MergeSide) -> None:
    """A row that names a merged profile is no ambiguous one, and adds to that part."""
    two(side)
    report = deliver(side, "/2.csv", "n2,,,100,")
    assert (report.counters.rows_ambiguous, report.counters.profiles_updated) == (0, 1)
    assert [own.get("total") for own in side.look().own.values()] == ["10", "105"]


def test_a_survivor_that_loses_what_merged_it_stays(side: MergeSide) -> None:
    """What was merged stays merged when values change: a survivor without the address that merged it shows all."""
    replacing = GOAL.model_copy(update={"map": (GOAL.map[0].model_copy(update={"mode": "set"}), *GOAL.map[1:])})
    two(side)
    for number, part in enumerate(("n1", "n2")):
        rows = f"Number,Email,Total\n{part},new{part}@x,1\n".encode()
        side.deliver(replacing, [(f"/{number}.csv", rows, NOON)])
        assert len(shown(side)) == 1
    assert shown(side)["n1"] == ANN | {"emails": "newn1@x;newn2@x", "total": "17", "tags": "red;blue"}


@pytest.mark.parametrize("others", [0, 300], ids=["most are checked", "few are checked"])
def test_a_conflict_two_steps_away(others: int, side: MergeSide) -> None:
    """Who is connected with people who differ is merged with nobody, whether they differ before that or after."""
    deliver(side, "/0.csv", *[f"o{n},other{n}@x,,," for n in range(others)])
    columns = "Number,Email,Passport"
    deliver(side, "/1.csv", "n1,all@x,P1", "n2,all@x,", "n3,all@x|three@x,P3", columns=columns)
    deliver(side, "/2.csv", "n4,pair@x,", "n5,pair@x|three@x,", columns=columns)
    live = side.look().live
    assert all(place == holder for place, holder in live.items())


def test_a_conflict_that_goes_away(side: MergeSide) -> None:
    """Who loses the value that led to a conflict leaves others who are one, though no row is about them."""
    setting = GOAL.model_copy(update={"map": (GOAL.map[0].model_copy(update={"mode": "set"}), *GOAL.map[1:])})
    first = b"Number,Email,Passport\nn1,a1@x,P1\nn2,a1@x|a2@x,\nn3,a2@x,P2\n"
    side.deliver(setting, [("/1.csv", first, NOON)])
    live = side.look().live
    assert all(place == holder for place, holder in live.items())
    side.deliver(setting, [("/2.csv", b"Number,Email,Passport\nn1,a9@x,P1\n", NOON)])
    assert shown(side).keys() == {"n1", "n2"}
    assert side.apply_rules().merged == 0


def test_a_row_that_waited_is_as_old_as_its_file(side: MergeSide) -> None:
    """Of two values, that of the younger file is the latest, also where a row of the older file waited."""
    waiting = GOAL.model_copy(update={"name": "waiting", "allow_new_profiles": False})
    old, young = (f"Number,Email,City\n{row}\n".encode() for row in ("n1,,Old", "n2,,Young"))
    side.deliver(waiting, [("/old.csv", old, NOON)])
    two(side)
    side.deliver(GOAL, [("/young.csv", young, NOON + timedelta(hours=1))])
    side.deliver(waiting, [("/nothing.csv", b"Number,Email,City\n", NOON)])
    assert [own.get("city") for own in side.look().own.values()] == ["Old", "Young"]
    assert shown(side)["n1"]["city"] == "Young"


def test_a_new_rule_is_for_everybody(side: MergeSide) -> None:
    """A preview shows the pairs of a new rule; applied, it merges them; and without it they stay merged."""
    without = PEOPLE.model_copy(update={"merge_rules": ()})
    side.declared = without
    deliver(side, "/1.csv", "n1,ann@x,Ann,10,red", "n2,ann@x|anna@x,Anna,5,blue", "n3,cid@x,,,")
    assert shown(side).keys() == {"n1", "n2", "n3"}
    side.declared = PEOPLE
    preview = side.apply_rules(preview=True)
    (pair,) = preview.evidence
    assert (preview.merged, pair.rule, pair.property, pair.value) == (1, "emails", "emails", "ann@x")
    assert [pair.left, pair.right] == side.ids[:2]
    assert shown(side).keys() == {"n1", "n2", "n3"}
    assert side.apply_rules().merged == 1
    side.declared = without
    assert (side.apply_rules().unmerged, shown(side).keys()) == (0, {"n1", "n3"})
    side.unmerge("n2")
    assert shown(side).keys() == {"n1", "n2", "n3"}


def test_events_without_an_id_are_not_doubled(side: MergeSide) -> None:
    """Events whose id is made of their content stay the same ones when their profile is merged, and unmerged."""
    goal = ORDERS.model_copy(update={"events": (ORDERS.events[0].model_copy(update={"id": None}),)})

    def visits(path: str) -> list[tuple[int, int]]:
        side.deliver(goal, [(path, b"Number,At\nn1,2024-05-01\nn2,2024-05-01\nn2,2024-05-02\n", NOON)])
        side.look()
        holders = side.rows("select profile_id::text, count(*) from warehouse.event_order group by all")
        return sorted((side.ids.index(holder), count) for holder, count in holders)

    deliver(side, "/1.csv", "n1,ann@x,,,", "n2,anna@x,,,")
    assert visits("/a.csv") == [(0, 1), (1, 2)]
    deliver(side, "/2.csv", "n2,ann@x,,,")
    assert visits("/b.csv") == [(0, 3)]
    side.unmerge("n2")
    assert visits("/c.csv") == [(0, 1), (1, 2)]
