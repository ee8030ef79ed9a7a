"""Goals on Sailthru's lists and users: derived mappings, problems, and fingerprints."""

from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.connectors.sailthru.goals import PROFILE_ID, ListGoal, SailthruConnection, UserExportGoal
from cdp_sync.model import Profiles, export_fingerprint, fingerprint
from cdp_sync.model.consistency import find_problems

PROPERTIES: list[dict[str, Any]] = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": PROFILE_ID, "identifier": True},
    {"name": "total", "type": "decimal"},
    {"name": "on_lists", "multiple": True},
    {"name": "first_name"},
]
SEGMENTS = [{"name": "all", "when": {"property": "email", "has_value": True}}]
PROFILES = Profiles.model_validate({"properties": PROPERTIES, "segments": SEGMENTS})
LIST = {
    "name": "members",
    "lists": ["Main"],
    "link": [{"field": "sid", "property": PROFILE_ID}],
    "map": [{"field": "name", "property": "first_name"}],
}
USERS = {
    "name": "audience",
    "segment": "all",
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "total", "property": "total"}],
}
KEYS = {"name": "crm", "api_key_env": "CRM_KEY", "api_secret_env": "CRM_SECRET"}


def of_lists(**fields: Any) -> ListGoal:
    """Return an import goal on a list."""
    return ListGoal.model_validate(LIST | fields)


def of_users(**fields: Any) -> UserExportGoal:
    """Return an export goal to users."""
    return UserExportGoal.model_validate(USERS | fields)


def mapped(goal: ListGoal) -> dict[str, tuple[str, str]]:
    """Return the mappings of the goal's import, by property."""
    mappings = goal.as_import("UTC", PROFILES).map
    return {each.property: (each.field, each.mode) for each in mappings}


def test_the_sid_is_always_mapped() -> None:
    """The sid is mapped to its own property, unless the goal maps another field to it."""
    by_email = of_lists(link=[{"field": "email", "property": "email"}])
    assert mapped(by_email)[PROFILE_ID] == ("sid", "set")
    other = {"field": "old_sid", "property": PROFILE_ID, "mode": "set_if_empty"}
    assert mapped(of_lists(map=[other]))[PROFILE_ID] == ("old_sid", "set_if_empty")


@pytest.mark.parametrize(("name", "mode"), [("on_lists", "add"), ("first_name", "set")])
def test_the_name_of_a_list_is_added_or_set(name: str, mode: str) -> None:
    """The list's name is added to a property with several values, and set on one with a single value."""
    assert mapped(of_lists(map=[], list_name_property=name))[name] == ("list name", mode)


def test_an_import_has_the_accounts_time_zone() -> None:
    """The import has the account's time zone and the declared format."""
    form = of_lists(format={"dates": ["iso"], "multi_value": "|"}).as_import("Europe/Amsterdam", PROFILES).format
    assert (form.time_zone, form.dates, form.multi_value) == ("Europe/Amsterdam", ("iso",), "|")


def test_columns_are_named_once() -> None:
    """Of two columns with the same name, or one like a key, the second is the custom field."""
    goal = of_lists().as_import("UTC", PROFILES)
    columns = ("Profile Id", "Email", "Domain", "email", "sid", "Domain", "list name", "plan")
    assert goal.named(columns) == (
        *("sid", "email", "Domain", "email (custom field)", "sid (custom field)"),
        *("Domain (custom field)", "list name (custom field)", "plan"),
    )
    assert len(set(goal.named(columns))) == len(columns)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        (["plan", "sid", "email", "Engagement", "Last Open"], ("plan",)),
        (["Domain"], ()),
        (["Domain (custom field)", "email (custom field)"], ("Domain", "email")),
    ],
)
def test_only_mapped_custom_fields_are_requested(fields: list[str], asked: tuple[str, ...]) -> None:
    """Only mapped custom fields are requested, not keys and columns that each export has."""
    names = ("first_name", "total", "on_lists", "email", PROFILE_ID)
    goal = of_lists(map=[{"field": field, "property": name} for field, name in zip(fields, names, strict=False)])
    assert goal.variables == asked


def test_map_detected_requests_all_custom_fields() -> None:
    """With `map_detected` all custom fields are requested."""
    assert of_lists(map_detected={"prefix": "st_"}).variables is None


# What makes lists and users stale


def digest(zone: str = "UTC", **fields: Any) -> str:
    """Return the fingerprint of an import goal on a list."""
    return fingerprint(of_lists(**fields).as_import(zone, PROFILES), PROFILES)


@pytest.mark.parametrize(
    "changed",
    [
        {"zone": "Europe/Amsterdam"},
        {"list_name_property": "on_lists"},
        {"link": [{"field": "email", "property": "email"}]},
        {"map": [{"field": "name", "property": "first_name", "mode": "set_if_empty"}]},
        {"format": {"multi_value": "|"}},
        {"allow_new_profiles": False},
    ],
)
def test_changes_that_affect_lists_change_the_fingerprint(changed: dict[str, Any]) -> None:
    """A change that affects imported values, including the account's time zone, changes the fingerprint."""
    assert digest(**changed) != digest()


@pytest.mark.parametrize("changed", [{"title": "Members"}, {"lists": ["Main", "VIP"]}, {"enabled": False}])
def test_further_lists_and_titles_keep_the_fingerprint(changed: dict[str, Any]) -> None:
    """A change of title, lists or `enabled` does not change the fingerprint."""
    assert digest(**changed) == digest()


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({"lists": ["VIP"]}, True),
        ({"decimals": "number"}, True),
        ({"create_users": True}, True),
        ({"link": [{"field": "extid", "property": "email"}]}, True),
        ({"map": [{"field": "spent", "property": "total"}]}, True),
        ({"bulk_from": 1}, False),
        ({"changes": "all"}, False),
        ({"lists": ["VIP"], "remove_from_lists": True}, True),
        ({"title": "Audience"}, False),
    ],
)
def test_changes_that_affect_users_change_the_fingerprint(changed: dict[str, Any], *, stale: bool) -> None:
    """A change of what users receive changes the fingerprint; `bulk_from` and `changes` do not."""
    before, after = (export_fingerprint(goal, PROFILES) for goal in (of_users(), of_users(**changed)))
    assert (before != after) is stale


def test_remove_from_lists_keeps_the_fingerprint() -> None:
    """`remove_from_lists` does not change the fingerprint, since it concerns leaving users only."""
    staying, leaving = (of_users(lists=["VIP"], remove_from_lists=removes) for removes in (False, True))
    assert export_fingerprint(staying, PROFILES) == export_fingerprint(leaving, PROFILES)


# Problems


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"map": []}, "nothing is mapped, and no list is named"),
        ({"map": [{"field": "1st", "property": "total"}]}, "a custom field begins with a letter"),
        ({"map": [{"field": "a-b", "property": "total"}]}, "letters, digits and underscores"),
        ({"map": [{"field": "x" * 33, "property": "total"}]}, "32 at most"),
        ({"map": [USERS["map"][0]] * 2}, "more than one column is called total"),
        ({"lists": ["a$"]}, "a list's name holds no $"),
        ({"lists": [""]}, "at least 1 character"),
        ({"remove_from_lists": True}, "needed is `lists`"),
        ({"link": []}, "at least 1 item"),
        ({"link": [{"field": "cookie", "property": "email"}]}, "'sid', 'email', 'extid' or 'sms'"),
        ({"decimals": "cents"}, "'integer' or 'number'"),
        ({"bulk_from": 0}, "greater than or equal to 1"),
        ({"directory": "/out"}, "Extra inputs are not permitted"),
    ],
)
def test_problems_of_user_goals_are_reported(fields: dict[str, Any], expected: str) -> None:
    """The message about an invalid user goal has the value found and the value needed."""
    with pytest.raises(ValidationError, match=expected.replace("$", r"\$")):
        of_users(**fields)


def test_a_user_goal_may_have_lists_only() -> None:
    """A user goal may have lists without custom fields; repeated lists are merged."""
    assert of_users(map=[], lists=["VIP", "VIP"]).lists == ("VIP",)


def problems_of(**goals: Any) -> list[str]:
    """Return the problems of these goals with the profile model."""
    return find_problems(SailthruConnection.model_validate(KEYS | goals), PROFILES)


def test_goals_that_match_the_profile_have_no_problems() -> None:
    """Goals that match the profile model have no problems."""
    assert problems_of(import_profiles=[LIST], export_profiles=[USERS]) == []


@pytest.mark.parametrize(
    "goals",
    [
        {"import_profiles": [LIST | {"list_name_property": "nowhere"}]},
        {"import_profiles": [LIST | {"list_name_property": "total"}]},
        {"import_profiles": [LIST | {"link": [{"field": "sid", "property": "total"}]}]},
        {"export_profiles": [USERS | {"link": [{"field": "email", "property": "total"}]}]},
        {"export_profiles": [USERS | {"link": [{"field": "email", "property": "nowhere"}]}]},
        {"export_profiles": [USERS | {"segment": "nowhere"}]},
        {"export_profiles": [USERS | {"map": [{"field": "x", "property": "nowhere"}]}]},
    ],
)
def test_mismatches_with_the_profile_are_reported(goals: dict[str, Any]) -> None:
    """Unknown properties and segments, wrong types, and links to other properties than identifiers are reported."""
    (problem,) = problems_of(**goals)
    assert "nowhere" in problem or "total" in problem
