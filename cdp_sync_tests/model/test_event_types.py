"""Declarations of types of events."""

import pytest
from pydantic import ValidationError

from cdp_sync.model import EventType


@pytest.mark.parametrize("name", ["event_id", "happened_at", "run_id", "rowid"])
def test_a_property_cannot_hide_a_column_of_events(name: str) -> None:
    """Columns that every event has, and the engine's `rowid`, are refused as names of properties."""
    with pytest.raises(ValidationError, match="choose another name"):
        EventType.model_validate({"name": "visit", "properties": [{"name": name}]})
