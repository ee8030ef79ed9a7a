"""Users on lists of Iterable become profiles: by one call each, or as part of an export."""

import json
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable import source
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import HOUR, Crm, column, iterable, person, users_goal

PEOPLE = [
    person("ann", "Main", "Other"),
    person("bob", "Main", tier="gold"),
    person("cat", "Other", tier="gold"),
    person("dan", tier="gold"),
]


@pytest.fixture(name="people")
def people_on_lists(box: IterableSandbox) -> IterableSandbox:
    """Four people, two static lists and a dynamic one."""
    box.load([*PEOPLE, {"list": "Gold", "rule": ["tier", "gold"], "type": "Dynamic"}])
    return box


@pytest.fixture(params=["one by one", "by export"])
def crm(
    request: pytest.FixtureRequest, people: IterableSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Crm:
    """A goal over a list, which is read in either way."""
    monkeypatch.setattr(source, "SHORT_LIST", 1000 if request.param == "one by one" else 0)
    return Crm(folder=tmp_path / "crm", box=people, goal=users_goal(**{"from": {"lists": ["Main"]}}))


def test_who_is_on_a_list_becomes_a_profile(crm: Crm) -> None:
    """And nobody else; the same list is not applied again, and nobody is counted who is not on it."""
    counters = crm.run().counters
    assert (counters.rows_read, counters.rows_applied) == (2, 2)
    assert crm.people("email") == [("ann@example.com",), ("bob@example.com",)]
    assert crm.run().counters.rows_applied == 0


def test_a_new_member_is_imported_though_its_profile_did_not_change(crm: Crm) -> None:
    """So lists are read as a whole: a change of membership is no change of the profile."""
    crm.run()
    crm.box.clock.advance(HOUR)
    user, (main, *_) = crm.box.project.find("email", "dan@example.com"), crm.box.project.lists.values()
    assert user
    crm.box.project.subscribe(user, main.list_id)
    counters = crm.run().counters
    assert (counters.rows_read, counters.rows_applied, counters.rows_unchanged) == (3, 1, 2)


def test_lists_are_named_or_numbered_and_may_be_dynamic(crm: Crm) -> None:
    """The name of each is added to a property."""
    ids = {found.name: found.list_id for found in crm.box.project.lists.values()}
    crm.goal = users_goal(**{"from": {"lists": [ids["Main"], "Gold"]}, "list_name_property": "lists"})
    report = crm.run()
    assert [file.path for file in report.files] == [str(ids["Main"]), "Gold"]
    assert crm.people("email", "lists") == [
        ("ann@example.com", ["Main"]),
        ("bob@example.com", ["Main", "Gold"]),
        ("cat@example.com", ["Gold"]),
        ("dan@example.com", ["Gold"]),
    ]
    assert crm.counted()["lists/getUsers"] == 2
    assert crm.counted()["export/start"] <= 1


def test_a_list_that_is_not_there_fails_alone(crm: Crm) -> None:
    """As does one whose name another list has; the others are imported."""
    crm.box.project.add_list("Other")
    crm.goal = users_goal(**{"from": {"lists": ["Nowhere", "Other", "Main"]}})
    files = {file.path: file for file in crm.run().files}
    assert {path: str(file.state) for path, file in files.items()} == {
        "Nowhere": "failed",
        "Other": "failed",
        "Main": "imported",
    }
    assert "no list of that name" in files["Nowhere"].message
    assert "Declare one" in files["Other"].message
    assert len(crm.people("email")) == 2


def test_an_empty_list_is_no_problem(crm: Crm) -> None:
    """It has nobody."""
    crm.box.project.add_list("Nobody")
    crm.goal = users_goal(**{"from": {"lists": ["Nobody"]}})
    report = crm.run()
    assert (report.files[0].state, report.counters.rows_read) == ("imported", 0)


def test_lists_of_users_with_ids(crm: Crm, tmp_path: Path) -> None:
    """In a hybrid project a list has userIds, and addresses of users without one; case counts in ids alone."""
    with iterable("hybrid") as box:
        box.load(
            [
                person("ann", "Main") | {"userId": "U1"},
                person("bob") | {"userId": "u1"},
                person("cat", "Main"),
                person("dan") | {"userId": "u@2"},
            ]
        )
        by_id = Crm(folder=tmp_path / "ids", box=box, goal=crm.goal, project_type="hybrid")
        by_id.run()
        assert by_id.people("email") == [("ann@example.com",), ("cat@example.com",)]


@pytest.mark.parametrize(("kind", "declared"), [("email", "user_id"), ("user_id", "email")])
def test_a_list_of_another_project_type_fails(kind: Any, declared: Any, crm: Crm, tmp_path: Path) -> None:
    """With the option to correct; an empty list, or one of which some are known, contradicts nothing."""
    with iterable(kind) as box:
        box.load([person("ann", "Main") | ({"userId": "U1"} if kind == "user_id" else {}), {"list": "Nobody"}])
        if kind == "user_id":
            box.load([{"userId": "U2", "dataFields": {}, "lists": ["Main"]}])
        goal = users_goal(**{"from": {"lists": ["Main", "Nobody"]}})
        other = Crm(folder=tmp_path / "other", box=box, goal=goal, project_type=declared)
        main, nobody = other.run().files
        assert (main.state, nobody.state) == ("failed", "imported")
        assert f"project_type: {declared}" in main.message
        assert other.people("email") == []


def test_a_name_of_two_lists_is_not_unique(crm: Crm) -> None:
    """A name that two lists have is no list: a look shows it, and the import names both ids."""
    ids = [crm.box.project.add_list("Twice").list_id for _ in range(2)]
    crm.goal = users_goal(**{"from": {"lists": ["Twice"]}})
    assert [row[2] for row in crm.look().rows] == ["not unique"]
    (failed,) = crm.run().files
    assert failed.state == "failed"
    assert all(str(each) in failed.message for each in ids)


def test_what_is_there_can_be_looked_at(crm: Crm) -> None:
    """Kind, size and time of each list that the goal names; without lists, all lists of the project."""
    crm.goal = users_goal(**{"from": {"lists": ["Main", "Gold", "Nowhere"]}})
    look = crm.look()
    rows = [(name, kind, users) for name, _, kind, users, _ in look.rows]
    assert rows == [("Main", "static", 2), ("Gold", "dynamic", 3), ("Nowhere", "not there", None)]
    assert look.summary == "3 lists, 5 users"
    json.dumps([str(row) for row in look.rows])
    crm.goal = users_goal()
    assert [name for name, *_ in crm.look().rows] == ["Gold", "Other", "Main"]


def test_a_field_of_one_user_alone_is_read(crm: Crm) -> None:
    """Nested as a single user comes, and flat as exports are."""
    crm.box.load([person("eve", "Main", address={"city": "X"})])
    crm.goal = users_goal(**{"from": {"lists": ["Main"]}, "map": [column("address.city", "text_one")]})
    crm.run()
    assert ("eve@example.com", "X") in crm.people("email", "text_one")


@pytest.mark.parametrize("declared", ["all", {"lists": ["Main"]}], ids=["all", "lists"])
def test_fields_are_shown_with_types_and_values(declared: object, crm: Crm) -> None:
    """Those that are mapped first, with what some users have there; of all users those who changed lately."""
    mapped = [column("plan", "text_one"), column("address.city", "text_one", "add"), column("no such", "number_one")]
    crm.goal = users_goal(**{"from": declared, "map": mapped[:1] + mapped[2:]})
    (fields,) = crm.look().further
    assert fields.noun == "field"
    assert fields.columns[:3] == ("field", "type", "property")
    email, plan, unknown, *others = fields.rows
    assert plan[:4] == ("plan", "string", "text_one", "ann")
    assert email[:4] == ("email", "string", "email", "ann@example.com")
    assert unknown[:4] == ("no such", "not there", "number_one", "")
    assert ("tier", "string", "") in [row[:3] for row in others]
