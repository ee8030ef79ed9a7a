"""The fingerprint of a goal: which changes make files stale."""

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
    """Return the fingerprint of the goal after these changes."""
    profiles = Profiles.model_validate({"properties": properties or PROPERTIES})
    return fingerprint(FileGoal.model_validate(GOAL | fields), profiles)


def test_a_fingerprint_is_short_and_stable() -> None:
    """The same declaration has the same 16 hexadecimal digits in each process."""
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
def test_changes_of_imported_values_change_the_fingerprint(changed: dict[str, Any]) -> None:
    """A change that affects imported values changes the fingerprint."""
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
def test_titles_and_places_keep_the_fingerprint(changed: dict[str, Any]) -> None:
    """A change of title, directory, pattern or schedule keeps the fingerprint."""
    assert digest(**changed) == digest()


def test_the_type_of_a_mapped_property_changes_the_fingerprint() -> None:
    """A change of a mapped property's type changes the fingerprint."""
    wider = [PROPERTIES[0], {**PROPERTIES[1], "scale": 2}, PROPERTIES[2]]
    assert digest(wider) != digest()


def test_unmapped_properties_keep_the_fingerprint() -> None:
    """Unmapped properties, their order and titles do not affect the fingerprint."""
    assert digest([*PROPERTIES[:2], {"name": "another"}]) == digest()
    assert digest([PROPERTIES[0], {**PROPERTIES[1], "title": "Total spent"}, PROPERTIES[2]]) == digest()


def test_an_upgrade_keeps_the_fingerprint() -> None:
    """A setting of a later version does not affect the fingerprint where it is not declared."""
    detected = {"prefix": "x_"}
    goal = {"format": {"decimal": ",", "nulls": ["", "x"]}, "map_detected": detected}
    assert digest(**goal) == "c9c8299720c7fc6f"
    assert digest(**goal, row_key=["OrderId"]) != digest(**goal)
    assert digest(**goal | {"format": {**goal["format"], "trim": True}}) != digest(**goal)
    assert digest(**goal | {"map_detected": detected | {"max_columns": 9}}) == digest(**goal)
