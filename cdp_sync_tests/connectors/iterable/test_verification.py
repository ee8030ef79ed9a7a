"""Whether a value that was read back agrees with the one that was sent."""

from typing import Any

import pytest

from cdp_sync.connectors.iterable.verification import shows


@pytest.mark.parametrize(
    ("sent", "held", "agrees"),
    [
        ("a", "a", True),
        ("a", "A", False),
        (3, 3.0, True),
        (3, "3", False),
        (True, True, True),
        (False, None, False),
        (0, None, False),
        (None, None, True),
        (None, "x", False),
        ("", None, True),
        ([], None, True),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ("2026-01-31", "2026-01-31 00:00:00 +00:00", True),
        ("2026-01-31T12:00:00.000+02:00", "2026-01-31 10:00:00 +00:00", True),
        ("2026-01-31", "2026-02-01 00:00:00 +00:00", False),
        ({"city": "X"}, {"city": "X", "zip": "1"}, True),
        ({"city": None}, None, True),
        ({"city": "X"}, None, False),
        ({}, {"city": "X"}, True),
    ],
)
def test_a_value_shows(sent: Any, held: Any, *, agrees: bool) -> None:
    """Dates in any form, nothing and null alike, objects by the fields that were sent."""
    assert shows(sent, held) is agrees
