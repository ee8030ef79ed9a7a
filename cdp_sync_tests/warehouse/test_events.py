"""Tables of events: made as types are declared, extended, guarded against other types, and cleared of old events."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.errors import PropertyTypeChanged
from cdp_sync.model import Profiles
from cdp_sync.terminal.profiles import print_profiles
from cdp_sync.warehouse import Session, Warehouse, event_columns, sync_events
from cdp_sync.warehouse.events import expire_events
from cdp_sync.warehouse.history import quarantined
from cdp_sync.warehouse.timeline import timeline

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCTS = {"name": "products", "items": [{"name": "id", "identifier": True}, {"name": "price", "type": "decimal"}]}


def profiles(*properties: dict[str, Any], **more: Any) -> Profiles:
    """Return a model with one type of event, called order."""
    return Profiles.model_validate(
        {"properties": [], "event_types": [{"name": "order", "properties": properties, **more}]}
    )


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A new warehouse."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as opened:
        yield opened


def test_new_properties_become_columns_also_those_of_items(session: Session) -> None:
    """A stored list of items gets the fields that are declared later, and SQL words are names like any other."""
    sync_events(session, profiles({"name": "select"}, PRODUCTS))
    session.execute(
        """insert into warehouse.event_order by name
        select 'o1' as event_id, 'x' as "select", [{id: 'a', price: 1.5}] as products"""
    )
    grown = {**PRODUCTS, "items": [*PRODUCTS["items"], {"name": "group", "type": "date"}]}  # type: ignore[misc]
    sync_events(session, profiles({"name": "select"}, grown, {"name": "order", "type": "number"}))
    kept = session.row('select "select", "order", products from warehouse.event_order')
    assert kept == ("x", None, [{"id": "a", "price": 1.5, "group": None}])
    sync_events(session, profiles({"name": "select"}))
    assert "order" in event_columns(session)["order"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"name": "total", "type": "number"}, "'total' of the event 'order' is stored as DECIMAL(18,4)"),
        (
            {**PRODUCTS, "items": [{"name": "price"}]},
            "'products.price' of the event 'order' is stored as DECIMAL(18,4)",
        ),
        (
            {"name": "products"},
            "'products' of the event 'order' is stored as STRUCT(id VARCHAR, price DECIMAL(18,4))[]",
        ),
        ({"name": "total", "items": [{"name": "id"}]}, "'total' of the event 'order' is stored as DECIMAL(18,4)"),
    ],
)
def test_a_changed_type_is_refused_with_the_way_out(session: Session, changed: dict[str, Any], named: str) -> None:
    """Nothing is changed, and the message says what to do."""
    sync_events(session, profiles({"name": "total", "type": "decimal"}, PRODUCTS))
    before = event_columns(session)
    with pytest.raises(PropertyTypeChanged) as refused:
        sync_events(session, profiles(changed, {"name": "new"}))
    assert named in str(refused.value)
    assert "alter table event_order drop column" in str(refused.value)
    assert event_columns(session) == before


def test_the_statement_of_a_changed_type_keeps_what_is_not_declared(session: Session) -> None:
    """After the statement that the error shows, the type fits, and the items still have their other fields."""
    sync_events(session, profiles(PRODUCTS))
    session.execute(
        "insert into warehouse.event_order by name select 'o1' as event_id, [{id: '7', price: 1.5}] as products"
    )
    changed = profiles({"name": "products", "items": [{"name": "id", "type": "number", "identifier": True}]})
    with pytest.raises(PropertyTypeChanged) as refused:
        sync_events(session, changed)
    statements = str(refused.value).partition("convert the column yourself: ")[2]
    session.execute(f"use warehouse; {statements} use memory")
    sync_events(session, changed)
    assert session.value("select products from warehouse.event_order") == [{"id": 7, "price": Decimal("1.5")}]


def test_events_expire_by_their_own_time_and_stay_known(session: Session) -> None:
    """At the limit an event stays; one that waits for its time does, too; types without keep_days keep all."""
    model = profiles(keep_days=30)
    sync_events(session, model)
    times = {"old": NOW - timedelta(days=30, microseconds=1), "at_the_limit": NOW - timedelta(days=30), "new": NOW}
    for name, at in {**times, "waits": None}.items():
        session.execute("insert into warehouse.event_order (event_id, happened_at) values (?, ?)", [name, at])
    assert expire_events(session, profiles(), NOW) == {}
    assert expire_events(session, model, NOW) == {"order": 1}
    assert expire_events(session, model, NOW) == {}
    left = [name for (name,) in session.rows("select event_id from warehouse.event_order order by 1")]
    assert left == ["at_the_limit", "new", "waits"]
    known = "select event_type, event_hash = uuid_of(md5_number('old')) from warehouse.expired_event"
    assert session.rows(known) == [("order", True)]


def test_a_timeline_has_years_that_python_has_not(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """A time before year 1, such as an empty one in a zone east of Greenwich, is last, and one after 9999 is first."""
    sync_events(session, profiles())
    owner = UUID(int=1)
    for name, at in {"first": "0044-03-15 (BC)", "now": "2026-03-01", "far": "10000-01-01"}.items():
        session.execute(
            "insert into warehouse.event_order (event_id, profile_id, happened_at) values (?, ?, ?::timestamptz)",
            [name, owner, f"{at} 00:00:00+00"],
        )
    latest, counts = timeline(session, owner, 3)
    assert ([event["event_id"] for event in latest], counts) == (["far", "now", "first"], {"order": 3})
    assert set(latest[0]) == {"type", "event_id", "happened_at", "connection", "goal", "run_id", "properties"}
    unmerged: dict[str, list[object]] = {"stages": [], "caps": [], "named_parts": [], "merged_from": [], "changes": []}
    print_profiles([{"profile_id": owner, **unmerged, "event_counts": counts, "events": latest}])
    shown = capsys.readouterr().out
    assert shown.index("10000-01-01") < shown.index("2026-03-01 00:00:00") < shown.index("(BC)")


def test_events_that_wait_are_named_by_the_quarantine(session: Session) -> None:
    """They come after what stands there, of the connection that is asked about, and within the limit."""
    sync_events(session, profiles())
    for name, connection in (("o1", "shop"), ("o2", "shop"), ("o3", "branch")):
        session.execute(
            "insert into warehouse.event_order (event_id, connection, goal) values (?, ?, 'lines')", [name, connection]
        )
    total, rows = quarantined(session, "shop", 1)
    assert (total, [row["raw"] for row in rows]) == (2, ["order o1"])
    assert quarantined(session, None, 100)[0] == 3
    session.execute("update warehouse.event_order set happened_at = now(), profile_id = uuid()")
    assert quarantined(session, None, 100) == (0, [])
