"""A goal's fingerprint: what makes a file worth reading again and what does not."""

from typing import Any

import pytest

from cdp_sync.model import FileGoal, Profiles, fingerprint

GOAL: dict[str, Any] = {
    "name": "customers",
    "directory": "/inbox",
    "files": "*.csv",
    "link": [{"field": "Email", "property": "email"}],
    "map": [{"field": "Total", "property": "total"}],
}
PROPERTIES: list[dict[str, Any]] = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "total", "type": "decimal"},
    {"name": "other", "type": "text"},
]


def digest(properties: list[dict[str, Any]] | None = None, **fields: object) -> str:
    """Return the fingerprint of the goal with these fields instead of its own."""
    profiles = Profiles.model_validate({"properties": properties or PROPERTIES})
    return fingerprint(FileGoal.model_validate(GOAL | fields), profiles)


def test_a_fingerprint_is_short_and_stable() -> None:
    """The same declaration has the same 16 hexadecimal digits, in every process."""
    assert digest() == digest()
    assert len(digest()) == 16
    assert int(digest(), 16) >= 0


@pytest.mark.parametrize(
    "changed",
    [
        {"format": {"decimal": ","}},
        {"format": {"dates": ["%d-%m-%Y"]}},
        {"format": {"encoding": "latin-1"}},
        {"format": {"nulls": ["", "-"]}},
        {"link": [{"field": "Mail", "property": "email"}]},
        {"blocked_values": ["guest"]},
        {"allow_new_profiles": False},
        {"map": [{"field": "Total", "property": "total", "mode": "set_if_empty"}]},
        {"map": []},
        {"map_detected": {"prefix": "x_"}},
    ],
)
def test_what_affects_the_result_changes_it(changed: dict[str, Any]) -> None:
    """Whatever makes the same bytes land differently makes the file stale."""
    assert digest(**changed) != digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Customers"},
        {"enabled": False},
        {"directory": "/elsewhere"},
        {"files": "customers_*"},
        {"files": None, "files_regex": ".*"},
        {"complete": {"settle_seconds": 60}},
        {"complete": {"marker": "{name}.done"}},
        {"max_rejected_percent": 5},
    ],
)
def test_where_files_lie_and_what_things_are_called_does_not(changed: dict[str, Any]) -> None:
    """A file is not read again because a title, a directory or a schedule of looks changed."""
    assert digest(**changed) == digest()


def test_the_declared_type_of_a_filled_property_changes_it() -> None:
    """A property of another type makes other values of the same cells."""
    wider = [PROPERTIES[0], {**PROPERTIES[1], "scale": 2}, PROPERTIES[2]]
    assert digest(wider) != digest()


def test_other_properties_and_titles_do_not() -> None:
    """Properties that the goal does not fill, their order and their titles have no effect on it."""
    assert digest([*PROPERTIES[:2], {"name": "another"}]) == digest()
    assert digest([PROPERTIES[0], {**PROPERTIES[1], "title": "Total spent"}, PROPERTIES[2]]) == digest()


def test_fingerprints_of_older_declarations_stay() -> None:
    """What could not be declared at first has no effect where it is not declared: an upgrade makes no file stale."""
    detected = {"prefix": "x_"}
    goal = {"format": {"decimal": ",", "nulls": ["", "x"]}, "map_detected": detected}
    assert digest(**goal) == "c9c8299720c7fc6f"
    assert digest(**goal, row_key=["OrderId"]) != digest(**goal)
    assert digest(**goal | {"format": {**goal["format"], "trim": True}}) != digest(**goal)
    assert digest(**goal | {"map_detected": detected | {"max_columns": 9}}) == digest(**goal)
