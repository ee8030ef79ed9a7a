"""Re-pointing profiles: references to a replaced profile move to its target, and each key keeps one row."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cdp_sync.model import EventType, Profiles
from cdp_sync.warehouse import Session, Warehouse, sync_events
from cdp_sync.warehouse.repoint import HISTORY, REFERENCES, repoint_profiles

ANN, ANNA, BOB, EVE = (UUID(int=number) for number in range(1, 5))

NOT_A_PROFILE = {
    ("profile", "profile_id"),
    *((table, "source") for table in ("imported_file", "imported_row", "keyed_row", "waiting_row")),
    *((table, "row_hash") for table in ("imported_row", "keyed_row", "exported_profile", "quarantine")),
    *((table, "row_key") for table in ("keyed_row", "waiting_row")),
    ("imported_row", "source_hash"),
    *((table, "event_hash") for table in ("expired_event", "exported_event")),
    ("exported_event", "row_hash"),
}
"""Columns of type uuid that identify something else: the profile's own row, a source, the content of a row."""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A new warehouse in which Anna and Eve are replaced by Ann; Bob is not."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as opened:
        opened.execute("create temp table pair (old_id uuid, new_id uuid)")
        opened.execute("insert into pair values ($anna, $ann), ($eve, $ann)", {"anna": ANNA, "ann": ANN, "eve": EVE})
        opened.execute("begin")
        yield opened


def test_every_table_that_names_a_profile_is_declared(session: Session) -> None:
    """Each column with profile ids is listed as a reference or as history."""
    columns = session.rows(
        """select table_name, column_name
        from information_schema.columns join duckdb_tables() using (table_name)
        where table_catalog = 'warehouse' and database_name = 'warehouse'
            and (data_type ilike '%uuid%' or column_name ilike '%profile_id%' or column_name = 'merged_into')"""
    )
    declared = {(each.table, each.column) for each in REFERENCES}
    missing = {each for each in columns if each[0] not in HISTORY} - NOT_A_PROFILE - declared
    assert not missing, "add these to REFERENCES or HISTORY in warehouse/repoint.py"
    assert declared <= set(columns)


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda each: each.table)
def test_rows_follow_their_profile(reference: object, session: Session) -> None:
    """No table refers to a replaced profile afterwards; other rows are unchanged, and keys are unique."""
    table, column = reference.table, reference.column  # type: ignore[attr-defined]
    for owner in (ANN, ANNA, BOB, EVE, EVE):
        session.execute(f"insert into warehouse.{table} ({column}) values (?)", [owner])
    repoint_profiles(session, "pair")
    repoint_profiles(session, "pair")
    found = [owner for (owner,) in session.rows(f"select {column} from warehouse.{table} order by {column}")]
    keyed = bool(reference.key)  # type: ignore[attr-defined]
    assert found == ([ANN, BOB] if keyed else [ANN, ANN, ANN, ANN, BOB])[: len(found)]
    assert ANN in found
    assert BOB in found


def test_rows_without_a_key_are_all_kept(session: Session) -> None:
    """Rows without a key are all kept, including equal ones."""
    for owner in (ANN, ANNA, EVE, EVE, BOB):
        session.execute("insert into warehouse.imported_row (profile_id) values (?)", [owner])
    repoint_profiles(session, "pair")
    query = "select profile_id, count(*) from warehouse.imported_row group by all order by all"
    assert session.rows(query) == [(ANN, 4), (BOB, 1)]


def test_the_delivery_of_the_target_is_kept(session: Session) -> None:
    """The target's own delivery is kept for each goal, otherwise the last one written."""
    rows = [(1, EVE, 11), (1, ANN, 12), (1, ANNA, 13), (2, ANNA, 21), (2, EVE, 22), (2, BOB, 23)]
    for goal, owner, value in rows:
        session.execute(
            "insert into warehouse.exported_profile (goal_number, profile_id, value_hash) values (?, ?, ?)",
            [goal, owner, value],
        )
    repoint_profiles(session, "pair")
    query = "select goal_number, profile_id, value_hash from warehouse.exported_profile order by all"
    assert session.rows(query) == [(1, ANN, 12), (2, ANN, 22), (2, BOB, 23)]


def test_the_earliest_intent_is_kept(session: Session) -> None:
    """The earliest intent is kept, since its run may have put the profile on the list."""
    for owner, day in ((ANN, 3), (ANNA, 1), (EVE, 2)):
        session.execute(
            "insert into warehouse.list_intent values ('crm', 'out', ?, make_timestamptz(2026, 1, ?, 0, 0, 0))",
            [owner, day],
        )
    repoint_profiles(session, "pair")
    assert session.rows("select profile_id, day(began) from warehouse.list_intent") == [(ANN, 1)]


def test_shared_identifiers_become_one_row(session: Session) -> None:
    """An identifier that both profiles have becomes one row; others are kept."""
    rows = [("email", "a@x.io", ANN), ("email", "a@x.io", ANNA), ("email", "b@x.io", EVE), ("number", "a@x.io", EVE)]
    for row in rows:
        session.execute("insert into warehouse.profile_identifier values (?, ?, ?)", list(row))
    repoint_profiles(session, "pair")
    query = "from warehouse.profile_identifier order by all"
    assert session.rows(query) == [("email", "a@x.io", ANN), ("email", "b@x.io", ANN), ("number", "a@x.io", ANN)]


def test_the_creator_of_a_replaced_profile_has_imported_the_target(session: Session) -> None:
    """A connection that created a replaced profile has imported the target, so that it does not count as new."""
    session.execute("insert into warehouse.connection_number values ('shop', 1), ('crm', 2)")
    for owner, creator in ((ANN, 1), (ANNA, 2), (EVE, 1), (BOB, 2)):
        session.execute("insert into warehouse.profile (profile_id, _created_by) values (?, ?)", [owner, creator])
    repoint_profiles(session, "pair")
    repoint_profiles(session, "pair")
    assert session.rows("from warehouse.imported_profile") == [("crm", ANN)]
    assert session.value("select count(*) from warehouse.profile") == 4


def test_history_keeps_its_ids(session: Session) -> None:
    """History keeps the ids with which it was written, so that a merge can be reversed."""
    session.execute("insert into warehouse.profile_change (profile_id, kind) values (?, 'created')", [ANNA])
    repoint_profiles(session, "pair")
    assert session.value("select profile_id from warehouse.profile_change") == ANNA


def test_events_follow_their_profile(session: Session) -> None:
    """Tables of events are made as types are declared; each names a profile."""
    session.execute("commit")
    sync_events(session, Profiles(properties=(), event_types=(EventType(name="visit"),)))
    for owner in (ANNA, BOB):
        session.execute("insert into warehouse.event_visit (profile_id) values (?)", [owner])
    repoint_profiles(session, "pair")
    assert session.rows("select profile_id from warehouse.event_visit order by profile_id") == [(ANN,), (BOB,)]
