"""Watermarks: the position up to which each stream of a goal's source was read."""

from pathlib import Path

import pytest

from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.ledger import watermarks_of, write_watermarks
from cdp_sync.warehouse.renaming import adopt


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse whose file does not exist yet."""
    return Warehouse(tmp_path / "warehouse.duckdb")


def test_each_stream_has_its_latest_watermark(warehouse: Warehouse) -> None:
    """Writing replaces the named watermarks of a goal and keeps all others."""
    with warehouse.open("write") as session:
        write_watermarks(session, "1", "shop", "events", {"opens": "2026-01-01", "clicks": "7"})
        write_watermarks(session, "2", "shop", "other", {"opens": "2020-01-01"})
        write_watermarks(session, "3", "shop", "events", {"opens": "2026-01-02", "sends": "x"})
        write_watermarks(session, "4", "shop", "events", {})
        assert watermarks_of(session, "shop", "events") == {"opens": "2026-01-02", "clicks": "7", "sends": "x"}
        assert watermarks_of(session, "shop", "other") == {"opens": "2020-01-01"}
        assert watermarks_of(session, "crm", "events") == {}
        assert dict(session.rows("select stream, run_id from warehouse.watermark where goal = 'events'")) == {
            "opens": "3",
            "clicks": "1",
            "sends": "3",
        }


def test_a_rollback_keeps_the_watermarks(warehouse: Warehouse) -> None:
    """A rollback leaves the watermarks unchanged."""
    with warehouse.open("write") as session:
        write_watermarks(session, "1", "shop", "events", {"opens": "1"})
        session.execute("begin")
        write_watermarks(session, "2", "shop", "events", {"opens": "2"})
    with warehouse.open("read") as session:
        assert watermarks_of(session, "shop", "events") == {"opens": "1"}


def test_a_renamed_goal_keeps_its_watermarks(warehouse: Warehouse) -> None:
    """A renamed goal keeps its watermarks; of both names, the last written counts."""
    with warehouse.open("write") as session:
        session.execute("insert into warehouse.run (connection, goal) values ('shop', 'before')")
        write_watermarks(session, "1", "shop", "before", {"opens": "1", "clicks": "1"})
        write_watermarks(session, "2", "shop", "now", {"opens": "2"})
    assert adopt(warehouse, ("shop", "now"), (None, "before"))
    with warehouse.open("read") as session:
        assert watermarks_of(session, "shop", "now") == {"opens": "2", "clicks": "1"}
        assert watermarks_of(session, "shop", "before") == {}
