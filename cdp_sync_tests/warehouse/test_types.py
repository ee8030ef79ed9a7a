"""No table has a column of a type that a lake changes: 128-bit integers become doubles there, without an error."""

from pathlib import Path

import pytest

from cdp_sync.model import Profiles
from cdp_sync.model.property import PropertyType
from cdp_sync.warehouse import Session, Warehouse, sync_events, sync_groups, sync_properties
from cdp_sync_tests.warehouse.held_types import HELD, leaves

KINDS: tuple[PropertyType, ...] = ("text", "email", "number", "decimal", "date", "datetime", "boolean")

EVERY = Profiles.model_validate(
    {
        "properties": [
            {"name": "mail", "type": "email", "identifier": True},
            {"name": "wide", "type": "decimal", "precision": 38, "scale": 2},
            {"name": "store", "type": "group", "group_type": "store"},
            *({"name": f"one_{kind}", "type": kind} for kind in KINDS),
            *({"name": f"some_{kind}", "type": kind, "multiple": True} for kind in KINDS),
        ],
        "group_types": [{"name": "store", "properties": [{"name": f"of_{kind}", "type": kind} for kind in KINDS]}],
        "event_types": [
            {
                "name": "order",
                "properties": [
                    *({"name": f"of_{kind}", "type": kind} for kind in KINDS),
                    {"name": "items", "items": [{"name": f"of_{kind}", "type": kind} for kind in KINDS]},
                ],
            }
        ],
    }
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse that does not exist yet."""
    return Warehouse(tmp_path / "warehouse.duckdb")


HELD_VALUES = set().union(*map(leaves, HELD))


def stored_types(session: Session) -> dict[str, str]:
    """Return the type of each column of the warehouse."""
    query = """
        select concat_ws('.', table_name, column_name), data_type
        from duckdb_columns()
        where database_name = 'warehouse' and not internal"""
    return dict(session.rows(query))


def test_a_lake_holds_every_type(warehouse: Warehouse) -> None:
    """Those of all migrations, and of whatever properties, events and groups can be declared."""
    with warehouse.open("write") as session:
        sync_properties(session, EVERY)
        sync_events(session, EVERY)
        for group in EVERY.group_types:
            sync_groups(session, group)
        found = stored_types(session)
    assert len(found) > 200
    assert {"event_order.items", "group_store.of_date", "profile.some_number", "own_profile.wide"} <= set(found)
    assert {name: kind for name, kind in found.items() if leaves(kind) - HELD_VALUES} == {}


@pytest.mark.parametrize("kind", ["HUGEINT", "UHUGEINT", "UHUGEINT[]", "STRUCT(a HUGEINT, b VARCHAR)[]"])
def test_a_128_bit_integer_would_be_found(kind: str, warehouse: Warehouse) -> None:
    """Also inside of a list or a struct."""
    with warehouse.open("write") as session:
        session.execute(f"create table warehouse.wide (digest {kind})")
        found = stored_types(session)
    assert {name for name, kind in found.items() if leaves(kind) - HELD_VALUES} == {"wide.digest"}
