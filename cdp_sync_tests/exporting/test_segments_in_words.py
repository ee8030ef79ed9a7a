"""The description of a segment's condition in English."""

from datetime import date
from typing import Any

import pytest

from cdp_sync.model import Profiles, Segment
from cdp_sync.segments.describe import in_words

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "order_total", "type": "decimal"},
            {"name": "interests", "multiple": True},
            {"name": "codes", "type": "number", "multiple": True},
            {"name": "city"},
            {"name": "birthday", "type": "date"},
            {"name": "last_seen", "type": "datetime"},
            {"name": "newsletter", "type": "boolean"},
        ],
        "zones": {"GDPR": "opt_in"},
        "objectives": [{"name": "news", "zones": ["GDPR"]}],
    }
)


def words(when: dict[str, Any]) -> str:
    """Return the description of a condition."""
    return in_words(Segment.model_validate({"name": "segment", "when": when}), PROFILES)


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("order_total", "at_least", 40, "`order_total` is at least 40"),
        ("order_total", "at_most", "0.10", "`order_total` is at most 0.10"),
        ("order_total", "between", [1e-4, 40.5], "`order_total` is between 0.0001 and 40.5"),
        ("order_total", "not_at_least", 40, "`order_total` is empty or not at least 40"),
        ("order_total", "equals", "4E+1", "`order_total` is 40"),
        ("city", "is_empty", True, "`city` is empty"),
        ("city", "has_value", True, "`city` has a value"),
        ("city", "equals", "Den Haag", "`city` is `Den Haag`"),
        ("city", "not_equals", "Ede", "`city` is empty or not `Ede`"),
        ("city", "contains_any", ["Ede", "Urk, *old*"], "`city` is one of `Ede`, `Urk, *old*`"),
        ("city", "not_contains_any", ["Ede"], "`city` is empty or not one of `Ede`"),
        ("city", "contains_all", ["Ede", "Urk"], "`city` is all of `Ede`, `Urk`"),
        ("city", "equals", "a`b", "`city` is `` a`b ``"),
        ("interests", "contains_any", ["music", "film"], "`interests` has one of `music`, `film`"),
        ("interests", "contains_all", ["music", "film"], "`interests` has all of `music`, `film`"),
        ("interests", "not_contains_any", ["music", "film"], "`interests` has none of `music`, `film`"),
        ("interests", "not_contains_all", ["music", "film"], "`interests` does not have all of `music`, `film`"),
        ("interests", "equals", "music", "one of `interests` is `music`"),
        ("codes", "at_most", 3, "one of `codes` is at most 3"),
        ("codes", "not_between", [1, 3], "none of `codes` is between 1 and 3"),
        ("birthday", "before", date(2000, 1, 31), "`birthday` is before 2000-01-31"),
        ("birthday", "in_next_days", 1, "`birthday` is in the next 1 day"),
        ("last_seen", "after", date(2026, 1, 31), "`last_seen` is after 2026-01-31 00:00:00 UTC"),
        ("last_seen", "at_least", "2026-01-31T12:00+01:00", "`last_seen` is at least 2026-01-31 11:00:00 UTC"),
        ("last_seen", "in_last_hours", 36, "`last_seen` is in the last 36 hours"),
        ("last_seen", "not_in_last_days", 7, "`last_seen` is empty or not in the last 7 days"),
        ("newsletter", "equals", False, "`newsletter` is false"),
    ],
)
def test_conditions_on_a_property_are_described(name: str, operator: str, value: object, expected: str) -> None:
    """Names and texts are in backticks, and a negated condition mentions empty values."""
    assert words({"property": name, operator: value}) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("consented", "has consented to `news`"),
        ("consented_or_unneeded", "has consented to `news`, or it needs no consent"),
        ("refused", "has refused `news`"),
        ("unknown", "has neither consented to `news` nor refused it"),
        ("refused_or_unknown", "has refused `news`, or has not consented to it"),
    ],
)
def test_consent(state: str, expected: str) -> None:
    """Each consent state has a sentence."""
    assert words({"objective": "news", "consent": state}) == expected


def test_nested_conditions_become_a_nested_list() -> None:
    """Nested conditions become a nested markdown list, with negation in the heading."""
    rich, musical = {"property": "order_total", "at_least": 40}, {"property": "interests", "contains_any": ["music"]}
    described = words(
        {"all": [rich, {"any": [musical, {"not": {"all": [rich, musical]}}]}, {"not": {"segment": "staff"}}]}
    )
    assert described == (
        "all of:\n"
        "- `order_total` is at least 40\n"
        "- any of:\n"
        "  - `interests` has one of `music`\n"
        "  - not all of:\n"
        "    - `order_total` is at least 40\n"
        "    - `interests` has one of `music`\n"
        "- not: is in the segment `staff`"
    )


def test_negations_are_described() -> None:
    """A negated `any` reads "none of", a negated `all` "not all of", and any other negation "not"."""
    rich = {"property": "order_total", "at_least": 40}
    assert words({"not": {"any": [rich]}}) == "none of:\n- `order_total` is at least 40"
    assert words({"not": {"not": rich}}) == "not: not: `order_total` is at least 40"
    assert words({"not": {"not": {"all": [rich]}}}) == "not: not all of:\n- `order_total` is at least 40"
