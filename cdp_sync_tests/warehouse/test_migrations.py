"""Migrations of the warehouse: applied once, recorded, and refused by an older version."""

from pathlib import Path

import pytest

from cdp_sync.errors import WarehouseUnusable
from cdp_sync.model import COUNTERS
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.backend import latest_version, migrations

CONTRACT = {
    "profile": ("profile_id", "created_at", "updated_at", "merged_into"),
    "profile_identifier": ("property", "value", "profile_id"),
    "run": ("run_id", "connection", "goal", "direction", "state", "started_at", "ended_at", *COUNTERS, "message"),
    "imported_file": (
        *("connection", "goal", "path", "size", "modified_at", "sha256", "fingerprint", "run_id", "imported_at"),
        *COUNTERS,
    ),
    "profile_change": ("run_id", "profile_id", "kind", "changed_at"),
    "run_goal": ("connection", "goal", "direction", "state", "started_at", "seconds", "sentence", "left_out"),
    "data_exchange": ("connection", "direction", "profiles"),
    "quarantine": ("run_id", "connection", "goal", "path", "line", "field", "value", "raw", "reason"),
    "watermark": ("connection", "goal", "stream", "value", "run_id"),
    "live_profile": ("profile_id", "created_at", "updated_at", "merged_into"),
}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse whose file does not exist yet."""
    return Warehouse(tmp_path / "data" / "warehouse.duckdb")


@pytest.mark.parametrize("table", CONTRACT)
def test_tables_have_the_columns_of_the_contract(table: str, warehouse: Warehouse) -> None:
    """The tables have the columns of the contract after the first opening for writing."""
    with warehouse.open("write") as session:
        query = "select column_name from duckdb_columns() where database_name = 'warehouse' and table_name = ?"
        assert {name for (name,) in session.rows(query, [table])} >= set(CONTRACT[table])


def test_migrations_are_applied_and_recorded_once(warehouse: Warehouse) -> None:
    """Each migration is applied and recorded once."""
    for _ in range(3):
        with warehouse.open("write") as session:
            recorded = session.rows("select version, name from warehouse.migration order by version")
    assert recorded == [(migration.version, migration.name) for migration in migrations()]


def test_migrations_are_numbered_without_gaps() -> None:
    """Migrations are numbered from one without gaps."""
    assert [migration.version for migration in migrations()] == list(range(1, latest_version() + 1))


@pytest.mark.parametrize("access", ["read", "write"])
def test_a_newer_version_is_refused(access: str, warehouse: Warehouse) -> None:
    """A warehouse of a newer version is refused, and the message has both versions."""
    newer = latest_version() + 1
    with warehouse.open("write") as session:
        session.execute("insert into warehouse.migration values (?, 'later', now())", [newer])
    with pytest.raises(WarehouseUnusable) as refused, warehouse.open(access):  # type: ignore[arg-type]
        pass
    message = str(refused.value)
    assert f"version {newer}" in message
    assert f"version {latest_version()}" in message
    assert "Use the newer cdp_sync" in message


def test_migrations_use_only_features_of_ducklake() -> None:
    """No migration has an index, key, sequence or generated column, since DuckLake has none."""
    for migration in migrations():
        statements = "\n".join(line for line in migration.sql.lower().splitlines() if not line.startswith("--"))
        for word in ("index", "primary key", "foreign key", "references", "unique", "sequence", "generated"):
            assert word not in statements, migration.name


def test_a_warehouse_of_version_3_is_migrated(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse of version 3 keeps its history, and gets the tables and the view of later versions."""
    every = migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr("cdp_sync.warehouse.backend.migrating.migrations", lambda: every[:3])
        with warehouse.open("write") as session:
            session.execute(
                """insert into warehouse.run by name select 'r1' as run_id, 'shop' as connection, 'out' as goal,
                'export' as direction, 'success' as state, now() as started_at, now() as ended_at,
                2 as profiles_written, 1 as profiles_without_value, 'Two left.' as message"""
            )
            session.execute("create view warehouse.run_goal as select goal, message as sentence from warehouse.run")
    with warehouse.open("write") as session:
        assert session.value("select max(version) from warehouse.migration") == latest_version()
        history = session.rows("select goal, state, sentence, left_out from warehouse.run_goal")
        assert history == [("out", "finished", "Two left.", "1 without value")]
        session.execute("update warehouse.run set profiles_unmatched = 3")
        assert session.value("select left_out from warehouse.run_goal") == "1 without value, 3 unmatched"
        assert session.rows("select * from warehouse.list_member") == []


def test_the_ledger_of_version_4_is_kept(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The export ledger of version 4 keeps its entries under the goals' numbers, with digests as uuids."""
    every = migrations()
    by_name = "select connection, goal, profile_id, {}, value_hash from warehouse.exported_profile"
    with monkeypatch.context() as earlier:
        earlier.setattr("cdp_sync.warehouse.backend.migrating.migrations", lambda: every[:4])
        with warehouse.open("write") as session:
            session.execute(
                """insert into warehouse.exported_profile by name
                select connection, goal, uuid() as profile_id, md5_number(goal || i) as row_hash, hash(i) as value_hash
                from range(3) row(i), (values ('shop', 'out'), ('shop', 'more'), ('crm', 'out')) g(connection, goal)"""
            )
            before = sorted(session.rows(by_name.format("uuid_of(row_hash)")))
    with warehouse.open("read") as session:
        joined = f"{by_name.format('row_hash')} join warehouse.exported_goal on number = goal_number"
        assert sorted(session.rows(joined)) == before
        assert len(before) == 9
        assert sorted(session.rows("select number from warehouse.exported_goal")) == [(1,), (2,), (3,)]


def test_older_quarantined_rows_get_a_kind(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quarantined rows of an older version get the kind of the counter that counted them."""
    every = migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr("cdp_sync.warehouse.backend.migrating.migrations", lambda: every[:6])
        with warehouse.open("write") as session:
            _fill_quarantine(session)
    with warehouse.open("read") as session:
        kinds = dict(session.rows("select kind, count(*) from warehouse.quarantine group by kind"))
    assert kinds == {
        "rows_rejected": 2,
        "rows_without_identifier": 1,
        "rows_unmatched": 1,
        "rows_without_consent": 1,
        "values_invalid": 1,
        "profiles_not_deliverable": 1,
    }


def _fill_quarantine(session: Session) -> None:
    session.execute("""
        insert into warehouse.run (run_id, connection, goal, direction)
        values ('1', 'shop', 'in', 'import'), ('2', 'shop', 'out', 'export')""")
    session.execute("""
        insert into warehouse.quarantine (run_id, connection, goal, raw, reason)
        values
            ('1', 'shop', 'in', 'a,b', 'too many fields'),
            ('1', 'shop', 'in', null, 'no value in the fields of row_key'),
            ('1', 'shop', 'in', null, 'no usable identifier'),
            ('1', 'shop', 'in', null, 'no profile has this identifier, and the goal creates none'),
            ('1', 'shop', 'in', null, 'no consent for the connection''s objectives'),
            ('1', 'shop', 'in', null, 'no whole number'),
            ('2', 'shop', 'out', 'an id', 'too long')""")


def test_the_warehouse_of_version_8_gets_live_profiles_and_watermarks(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warehouse of version 8 gets live profiles and watermarks; merged profiles are not live."""
    every = migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr("cdp_sync.warehouse.backend.migrating.migrations", lambda: every[:8])
        with warehouse.open("write") as session:
            session.execute("alter table warehouse.profile add column name text")
            session.execute("insert into warehouse.profile (merged_into, name) values (null, 'Ann'), (uuid(), 'Anna')")
    with warehouse.open("read") as session:
        assert session.rows("select name from warehouse.live_profile") == [("Ann",)]
        assert session.rows("from warehouse.watermark") == []


def test_live_profiles_have_later_columns(warehouse: Warehouse) -> None:
    """`live_profile` has later columns and the same query plan as the table."""
    with warehouse.open("write") as session:
        session.execute("alter table warehouse.profile add column name text")
        session.execute("insert into warehouse.profile (name) values ('Ann'), ('Bob')")
    with warehouse.open("read") as session:
        assert session.records("from warehouse.live_profile")[0]["name"] == "Ann"
        plans = [
            session.rows(f"explain select name from warehouse.{source} name > 'B'")
            for source in ("live_profile where", "profile where merged_into is null and")
        ]
    assert plans[0] == plans[1]


def test_identifiers_of_version_24_are_put_in_order(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identifiers of a version before are all there, in the order of their values, and views still show them."""
    values = ["c@example.com", "a@example.com", "b@example.com", "a@example.com"]
    every = migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr(
            "cdp_sync.warehouse.backend.migrating.migrations", lambda: [each for each in every if each.version < 25]
        )
        with warehouse.open("write") as session:
            for number, value in enumerate(values):
                session.execute(
                    "insert into warehouse.profile_identifier values ('email', $value, md5($number::text)::uuid)",
                    {"value": value, "number": number},
                )
    with warehouse.open("read") as session:
        held = session.rows("select property, value from warehouse.profile_identifier order by rowid")
        assert held == [("email", value) for value in sorted(values)]
        assert session.value("select count(distinct profile_id) from warehouse.linking_identifier") == len(values)
