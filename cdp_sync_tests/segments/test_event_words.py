"""The description in English of conditions on events."""

from typing import Any

import pytest

from cdp_sync.model import Profiles, Segment
from cdp_sync.segments.describe import in_words

PROFILES = Profiles.model_validate(
    {
        "properties": [{"name": "city"}],
        "event_types": ["order", "order_refund"],
        "rollups": [{"name": "revenue", "event": "order", "sum": "total_revenue"}],
    }
)
CHEAP = {"property": "total_revenue", "at_most": 5}
COUPON = {"property": "coupon", "has_value": True}


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"event": "order"}, "has an event `order`"),
        ({"event": "order", "never": True}, "has no event `order`"),
        ({"event": "order", "at_most": 0}, "has no event `order`"),
        ({"event": "order", "at_least": 2}, "has at least 2 events `order`"),
        ({"event": "order", "at_most": 1}, "has at most 1 event `order`"),
        ({"event": "order", "exactly": 3}, "has exactly 3 events `order`"),
        ({"event": "order", "at_least": 2, "at_most": 5}, "has 2 to 5 events `order`"),
        ({"event": "order", "in_last_days": 1}, "has an event `order` in the last 1 day"),
        (
            {"event": "order", "in_last_days": 30, "days": "exact"},
            "has an event `order` in the last 30 days of 24 hours",
        ),
        (
            {"event": "order", "in_last_hours": 6, "after": "2026-01-31T12:00+01:00"},
            "has an event `order` in the last 6 hours after 2026-01-31 11:00:00 UTC",
        ),
        ({"event": "order", "before": "2026-01-31"}, "has an event `order` before 2026-01-31 00:00:00 UTC"),
        ({"event": "order", "where": CHEAP}, "has an event `order`, where `total_revenue` is at most 5"),
        (
            {"event": "order", "where": {"items": "products", "property": "netprice", "at_least": 10}},
            "has an event `order`, where in one of `products`, `netprice` is at least 10",
        ),
        (
            {"event": "order", "then": {"event": "order_refund", "within_days": 14}},
            "has an event `order`, followed by an event `order_refund` within 14 days",
        ),
        ({"property": "revenue", "at_least": 2}, "`revenue` is at least 2"),
        ({"not": {"event": "order"}}, "not: has an event `order`"),
    ],
)
def test_conditions_on_events_are_described(when: dict[str, Any], expected: str) -> None:
    """How often, when, and with what: a single detail stands in the same line."""
    assert words(when) == expected


def test_nested_details_become_a_list() -> None:
    """Several conditions, or a condition and a sequence, are a list below the event."""
    where = {"all": [COUPON, {"items": "products", "where": {"any": [{"property": "name", "is_empty": True}]}}]}
    when = {"event": "order", "at_least": 2, "where": where, "then": {"event": "order_refund", "where": CHEAP}}
    assert words({"any": [when, {"event": "order", "where": where}]}) == (
        "any of:\n"
        "- has at least 2 events `order`:\n"
        "  - where all of:\n"
        "    - `coupon` has a value\n"
        "    - in one of `products`, any of:\n"
        "      - `name` is empty\n"
        "  - followed by an event `order_refund`, where `total_revenue` is at most 5\n"
        "- has an event `order`, where all of:\n"
        "  - `coupon` has a value\n"
        "  - in one of `products`, any of:\n"
        "    - `name` is empty"
    )


def words(when: dict[str, Any]) -> str:
    """Return the description of a condition."""
    return in_words(Segment.model_validate({"name": "segment", "when": when}), PROFILES)
