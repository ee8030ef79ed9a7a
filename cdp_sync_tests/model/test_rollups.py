"""Declared rollups and conditions on events: what they are read as, and the messages of those that are refused."""

from typing import Any

import pytest

from cdp_sync.model import FileExportGoal, Profiles, export_fingerprint
from cdp_sync.model.consistency import find_profile_problems
from cdp_sync.model.reading import read_text

EVENT_TYPES: list[Any] = ["order", {"name": "visit", "properties": [{"name": "pages", "type": "number"}]}]


def profiles(**more: Any) -> Profiles:
    """Return a profile model with two types of events."""
    return Profiles.model_validate({"properties": [{"name": "city"}], "event_types": EVENT_TYPES, **more})


def of_rollup(**declared: Any) -> list[str]:
    """Return the problems of one rollup, without their place."""
    found = find_profile_problems(profiles(rollups=[{"name": "rolled", "event": "order", **declared}]))
    return [problem.removeprefix("rollups[0].") for problem in found]


def of_condition(when: dict[str, Any]) -> list[str]:
    """Return the problems of one condition, without their place."""
    found = find_profile_problems(profiles(segments=[{"name": "asking", "when": when}]))
    return [problem.removeprefix("segments[0].when.") for problem in found]


@pytest.mark.parametrize(
    ("declared", "sql_type"),
    [
        ({"count": True}, "BIGINT"),
        ({"sum": "quantity"}, "BIGINT"),
        ({"sum": "revenue"}, "DECIMAL(38,4)"),
        ({"average": "products.quantity"}, "DECIMAL(38,4)"),
        ({"minimum": "products.deliverydate"}, "DATE"),
        ({"last": "coupon"}, "VARCHAR"),
        ({"last": "products.netprice"}, "DECIMAL(18,4)"),
        ({"most_frequent": "products.name"}, "VARCHAR"),
        ({"most_frequent": "quantity"}, "BIGINT"),
        ({"all_values": "products.netprice"}, "DECIMAL(18,4)[]"),
    ],
)
def test_a_rollup_is_read_as_a_property(declared: dict[str, Any], sql_type: str) -> None:
    """A rollup is readable in the type that its aggregate has, and cannot be written."""
    found = profiles(rollups=[{"name": "rolled", "title": "Rolled up", "event": "order", **declared}])
    assert find_profile_problems(found) == []
    assert (found.readable["rolled"].sql_type, found.readable["rolled"].title) == (sql_type, "Rolled up")
    assert "rolled" not in found.by_name
    assert "rolled" in found.reserved  # a detected field of this name gets a property of another name


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"event": "ordr", "count": True}, "event: 'ordr' is unknown; did you mean 'order'? allowed: order, visit"),
        ({"sum": "coupon"}, "sum: coupon is text; needed is number or decimal"),
        ({"sum": "revenu"}, "sum: 'revenu' is unknown; did you mean 'revenue'? allowed: order_id"),
        ({"minimum": "products"}, "minimum: 'products' is a list of items; needed is a property of them: products.id"),
        ({"maximum": "products.prize"}, "maximum: 'prize' is unknown; did you mean 'netprice'? allowed: id"),
        ({"sum": "coupon.x"}, "sum: 'coupon' is no list of items; needed is 'coupon' alone, or a list"),
        ({"last": "products"}, "last: 'products' is a list of items; needed is a property of them: products.id"),
        ({"most_frequent": "products.nam"}, "most_frequent: 'nam' is unknown; did you mean 'name'?"),
        ({"count": True, "after": "soon"}, "after: found 'soon'; happened_at is compared with a time such as 2026-"),
        (
            {"count": True, "after": "2026-02-01", "before": "2026-01-01"},
            "before: found 2026-01-01, which is not later than after: 2026-02-01",
        ),
        ({"count": True, "where": {"property": "city", "equals": "x"}}, "where.property: 'city' is unknown; allowed:"),
    ],
)
def test_rollups_that_do_not_fit_their_events_are_refused(declared: dict[str, Any], expected: str) -> None:
    """One problem names the key, what was found and what is allowed."""
    (problem,) = of_rollup(**declared)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"event": "order", "where": {"property": "coupon", "at_least": 2}}, "where.at_least: coupon is text; allowed"),
        ({"event": "order", "where": {"segment": "asking"}}, "where.segment: 'asking' is asked of profiles; inside"),
        ({"event": "order", "where": {"not": {"event": "order"}}}, "where.not.event: 'order' is asked of profiles;"),
        (
            {"event": "visit", "where": {"items": "products", "property": "name", "equals": "x"}},
            "where.items: 'products' is no list of items; allowed: none is declared",
        ),
        (
            {"event": "order", "where": {"property": "products", "is_empty": True}},
            "where.property: 'products' is a list of items; needed is `items: products` with a condition",
        ),
        (
            {"event": "order", "where": {"items": "products", "where": {"property": "prize", "equals": 1}}},
            "where.where.property: 'prize' is unknown; did you mean 'netprice'?",
        ),
        ({"event": "order", "then": {"event": "refund"}}, "then.event: 'refund' is unknown; allowed: order, visit"),
        ({"items": "products", "property": "name", "equals": "x"}, "items: a profile has no items; they are asked"),
    ],
)
def test_conditions_that_do_not_fit_their_events_are_refused(when: dict[str, Any], expected: str) -> None:
    """One problem names the place inside the condition, what was found and what is allowed."""
    (problem,) = of_condition(when)
    assert problem.startswith(expected)


HEAD = """\
type: cdp_sync.components.ProfileModel
attributes:
  properties: [{name: email, type: email}]
  event_types: [order]
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rollups: [{name: a, event: order}]", "rollups[0]: found none of them; needed is one of count, sum"),
        ("rollups: [{name: a, event: order, count: true, sum: b}]", "rollups[0]: found count and sum; needed is one"),
        ("rollups: [{name: a, event: order, cuont: true}]", "rollups[0].cuont: unknown key; did you mean 'count'?"),
        (
            "rollups: [{name: a, event: order, count: true, days: exact}]",
            "rollups[0]: days says how in_last_days counts, and in_last_days is missing",
        ),
        (
            "segments: [{name: a, when: {event: order, in_last_days: 2, in_last_hours: 3}}]",
            "segments[0].when: found in_last_days and in_last_hours; a window has one of them",
        ),
        (
            "segments: [{name: a, when: {event: order, at_least: 2.5}}]",
            "segments[0].when: found 2.5; needed is a whole",
        ),
        (
            "segments: [{name: a, when: {event: order, at_least: 0}}]",
            "segments[0].when: found at_least: 0; needed is 1",
        ),
        (
            "segments: [{name: a, when: {event: order, at_least: 3, at_most: 2}}]",
            "segments[0].when: found at_least 3 and at_most 2; nothing is both",
        ),
        (
            "segments: [{name: a, when: {event: order, never: true, exactly: 2}}]",
            "segments[0].when: found exactly and never; needed is one of them, or at_least and at_most",
        ),
        (
            "segments: [{name: a, when: {event: order, equals: 2}}]",
            "segments[0].when: found equals; a property is asked with exactly one operator",
        ),
        (
            "segments: [{name: a, when: {segment: b, never: true}}]",
            "segments[0].when: found never without `event`",
        ),
        (
            "segments: [{name: a, when: {segment: b, where: {segment: a}}}]",
            "segments[0].when: found where; it stands beside event, items or group",
        ),
        (
            "segments: [{name: a, when: {event: order, where: {items: products}}}]",
            "segments[0].when.where: items needs either `where`, or `property` and an operator",
        ),
        (
            "segments: [{name: a, when: {event: order, then: {event: order, within_days: 0}}}]",
            "segments[0].when.then.within_days: found 0; needed is at least 1",
        ),
    ],
)
def test_contradictory_declarations_are_refused(text: str, expected: str) -> None:
    """Keys that do not go together are one problem with its place."""
    (problem,) = read_text(f"{HEAD}  {text}\n").problems
    assert problem.startswith(f"attributes.{expected}"), problem


def test_a_rollup_belongs_to_the_fingerprint_of_its_exports() -> None:
    """Another rollup of the same name changes an export's fingerprint; a title, or another rollup, does not."""
    rolled = {"name": "rolled", "event": "order", "count": True}
    goal = FileExportGoal.model_validate(
        {"name": "out", "segment": "all", "map": [{"field": "Orders", "property": "rolled"}]}
    )

    def digest(*rollups: dict[str, Any]) -> str:
        return export_fingerprint(goal, profiles(rollups=rollups))

    assert digest(rolled) == digest({**rolled, "title": "Orders"}, {**rolled, "name": "other"})
    others = [{"in_last_days": 3}, {"where": {"property": "coupon", "equals": "x"}}, {"event": "visit"}]
    assert len({digest(rolled), *(digest({**rolled, **more}) for more in others)}) == 4
