"""Declarations of types of events."""

import pytest
from pydantic import ValidationError

from cdp_sync.model import EventImport, EventType


@pytest.mark.parametrize("name", ["event_id", "happened_at", "run_id", "rowid"])
def test_a_property_cannot_hide_a_column_of_events(name: str) -> None:
    """Columns that every event has, and the engine's `rowid`, are refused as names of properties."""
    with pytest.raises(ValidationError, match="choose another name"):
        EventType.model_validate({"name": "visit", "properties": [{"name": name}]})


def test_names_in_json_that_differ_in_case_only_are_refused() -> None:
    """Of `sku` and `SKU` in the objects of one field only one can be mapped; of columns of a file both can."""
    order = EventType.model_validate({"name": "order", "ready_made": True})
    items = {"field": "Lines", "id": "sku", "map": [{"field": "SKU", "property": "name"}]}
    declared = {"type": "order", "id": "Id", "items": {"products": items}}
    (problem,) = EventImport.model_validate(declared).problems({"order": order})
    assert problem == ".items.products.map: SKU and sku differ in case only; map one of them"
    del items["field"]
    assert list(EventImport.model_validate(declared).problems({"order": order})) == []
