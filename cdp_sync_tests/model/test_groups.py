"""Types of groups, properties that hold ids of groups, and goals that import them, as they are declared."""

from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.model import FileGoal, FileGroupGoal, GroupType, Profiles, Property, SftpConnection, fingerprint
from cdp_sync.model.consistency import find_problems, find_profile_problems
from cdp_sync.model.event import EventType
from cdp_sync.model.group_import import FileGroupImport
from cdp_sync.model.property import stored_property

SERVER = {"host": "localhost", "port": 22, "username": "shop", "password_env": "SECRET", "known_hosts_file": "hosts"}
EMAIL = {"name": "email", "type": "email", "identifier": True}
STORE = {"name": "store", "properties": [{"name": "city"}, {"name": "visitors", "type": "number"}]}
STORES = {"name": "stores", "type": "store", "id": "Store", "map": [{"field": "City", "property": "city"}]}


def profiles(**declared: Any) -> Profiles:
    """Return a profile model with a type of groups."""
    return Profiles.model_validate({"properties": [EMAIL], "group_types": [STORE]} | declared)


def test_a_property_holds_ids_of_groups() -> None:
    """It is text, with one value or several, and names the type of the groups."""
    declared = Property(name="stores", type="group", group_type="store", multiple=True)
    assert (declared.sql_type, declared.is_text) == ("VARCHAR[]", True)
    assert stored_property("stores", "VARCHAR[]").type == "text"


@pytest.mark.parametrize(
    "declared",
    [
        {"name": "stores", "type": "group"},
        {"name": "stores", "type": "text", "group_type": "store"},
        {"name": "stores", "type": "group", "group_type": "store", "identifier": True},
        {"name": "stores", "type": "group", "group_type": "store", "among": ["a"]},
    ],
)
def test_a_property_of_groups_needs_their_type_and_no_more(declared: dict[str, Any]) -> None:
    """A type without groups, groups without a type, and an identifier are refused."""
    with pytest.raises(ValidationError):
        Property.model_validate(declared)


def test_the_type_of_a_property_has_to_be_declared() -> None:
    """An unknown type of groups is a problem with its place and a suggestion."""
    stores = {"name": "stores", "type": "group", "group_type": "stroe"}
    (problem,) = find_profile_problems(profiles(properties=[EMAIL, stores]))
    assert problem.startswith("properties[1].group_type: 'stroe' is unknown")
    assert "store" in problem


@pytest.mark.parametrize(
    ("declared", "needle"),
    [
        ({"name": "store_identifier"}, "choose another name"),
        ({"name": "Store"}, "name"),
        ({"name": "store", "properties": [{"name": "group_id"}]}, "every group has"),
        ({"name": "store", "properties": [{"name": "created_at"}]}, "every record has"),
        ({"name": "store", "properties": [{"name": "code", "identifier": True}]}, "its id alone"),
        ({"name": "store", "properties": [{"name": "city"}, {"name": "city"}]}, "more than once: city"),
        (
            {"name": "store", "properties": [{"name": "chain", "type": "group", "group_type": "chain"}]},
            "people belong to groups",
        ),
    ],
)
def test_a_type_that_cannot_be_is_refused(declared: dict[str, Any], needle: str) -> None:
    """The message says what is wrong with the type or its properties."""
    with pytest.raises(ValidationError, match=needle):
        GroupType.model_validate(declared)


def test_two_types_need_two_names() -> None:
    """A type that is declared twice is refused."""
    with pytest.raises(ValidationError, match="group_types: declared more than once: store"):
        profiles(group_types=[STORE, STORE])


def test_an_event_holds_the_id_of_a_group_as_text() -> None:
    """Only people belong to groups."""
    stores = {"name": "stores", "type": "group", "group_type": "store"}
    with pytest.raises(ValidationError, match="as text"):
        EventType.model_validate({"name": "visit", "properties": [stores]})


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"type": "stroe"}, "import_groups[0].type: 'stroe' is unknown"),
        ({"map": [{"field": "C", "property": "ctiy"}]}, "import_groups[0].map[0].property: 'ctiy' is unknown"),
        ({"map": [{"field": "C", "property": "group_id"}]}, "import_groups[0].map[0].property: 'group_id' names the"),
        ({"map": [{"field": "C", "property": "email"}]}, "import_groups[0].map[0].property: 'email' is unknown"),
        ({"map": [{"field": "C", "property": "city", "mode": "sum"}]}, "import_groups[0].map[0].mode: 'sum' needs"),
    ],
)
def test_a_goal_has_to_fit_its_type(changed: dict[str, Any], problem: str) -> None:
    """What a goal names has to be declared for its type of groups; the profile's properties are others."""
    connection = SftpConnection(name="shop", server=SERVER, import_groups=[STORES | changed])
    (found,) = find_problems(connection, profiles())
    assert found.startswith(problem)


@pytest.mark.parametrize("key", ["link", "events", "allow_new_profiles", "blocked_values"])
def test_a_goal_has_no_keys_of_people(key: str) -> None:
    """Keys about people are unknown to it."""
    with pytest.raises(ValidationError, match=key):
        FileGroupGoal.model_validate(STORES | {key: []})


def test_goals_of_a_connection_run_in_the_order_of_categories() -> None:
    """Groups come first, then profiles, then exports; no two goals of any category have one name."""
    people = {"name": "people", "link": [{"field": "Email", "property": "email"}]}
    connection = SftpConnection(name="shop", server=SERVER, import_profiles=[people], import_groups=[STORES])
    assert [goal.name for goal in connection.goals] == ["stores", "people"]
    with pytest.raises(ValidationError, match="more than one goal is called people"):
        SftpConnection(
            name="shop", server=SERVER, import_profiles=[people], import_groups=[STORES | {"name": "people"}]
        )


def engine_goal(**declared: Any) -> FileGroupImport:
    """Return the engine's goal that imports stores."""
    return FileGroupGoal.model_validate(STORES | declared).as_groups(FileGroupImport)


def test_a_fingerprint_depends_on_the_type_of_the_groups() -> None:
    """It changes with the type's name and its properties, and not with what is declared of consent."""
    usual = fingerprint(engine_goal(), profiles())
    region = STORE | {"name": "region"}
    assert fingerprint(engine_goal(type="region"), profiles(group_types=[STORE, region])) != usual
    dated = STORE | {"properties": [{"name": "city", "type": "date"}]}
    assert fingerprint(engine_goal(), profiles(group_types=[dated])) != usual
    asking = profiles(objectives=[{"name": "mail", "zones": []}])
    assert fingerprint(engine_goal(), asking, ["mail"]) == usual


def test_fingerprints_of_profiles_are_what_they_were() -> None:
    """Types of groups that are declared elsewhere change no fingerprint of a goal that imports profiles."""
    goal = FileGoal.model_validate(
        {
            "name": "people",
            "link": [{"field": "Email", "property": "email"}],
            "map": [{"field": "N", "property": "name"}],
        }
    )
    plain = Profiles.model_validate({"properties": [EMAIL, {"name": "name"}]})
    assert fingerprint(goal, plain) == fingerprint(goal, profiles(properties=[EMAIL, {"name": "name"}]))
    held = {"name": "name", "type": "group", "group_type": "store"}
    assert fingerprint(goal, profiles(properties=[EMAIL, held])) != fingerprint(goal, plain)
