"""The view of a segment: name, size, sample, description and SQL."""

from pathlib import Path
from typing import Any
from uuid import UUID

from cdp_sync.model import Profiles
from cdp_sync.segments.membership import view_segment
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.exporting.test_segments import NOW, fill

ADULTS: dict[str, Any] = {
    "properties": [{"name": "age", "type": "number"}, {"name": "city"}],
    "segments": [
        {"name": "adults", "title": "Of age", "when": {"property": "age", "at_least": 18}},
        {"name": "minors", "when": {"not": {"segment": "adults"}}},
        {"name": "nobody", "when": {"all": [{"segment": "adults"}, {"segment": "minors"}]}},
    ],
}


def test_a_segment_may_refer_to_another(tmp_path: Path) -> None:
    """A segment may refer to another or to its negation."""
    profiles = Profiles.model_validate(ADULTS)
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as session:
        sync_properties(session, profiles)
        fill(session, [{"age": age} for age in (17, 18, None, 40, 3)])
        sizes = [view_segment(session, profiles, name, NOW).size for name in ("adults", "minors", "nobody")]
    assert sizes == [2, 3, 0]


def test_a_view_has_all_parts_of_a_segment(tmp_path: Path) -> None:
    """The view has name, size, sample, description and readable SQL, and needs read access only."""
    profiles = Profiles.model_validate(ADULTS)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with warehouse.open("write") as session:
        sync_properties(session, profiles)
        fill(session, [{"age": age} for age in range(10, 30)], merged_every=2)
    with warehouse.open("read") as session:
        view = view_segment(session, profiles, "adults", NOW)
    assert (view.name, view.size, view.words) == ("adults", 6, "`age` is at least 18")
    assert view.sample == tuple(str(UUID(int=number)) for number in (18, 16, 14, 12, 10))
    assert view.sql.endswith(">= CAST(18 AS BIGINT), false);")


def test_a_missing_warehouse_has_empty_segments(tmp_path: Path) -> None:
    """Without a warehouse a segment's view is empty."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("read") as session:
        view = view_segment(session, Profiles.model_validate(ADULTS), "minors", NOW)
    assert (view.size, view.sample) == (0, ())
