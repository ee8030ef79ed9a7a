"""The comparison finds a row that is missing, doubled or altered in any table that it compares, and nothing else."""

import shutil
from pathlib import Path
from uuid import UUID

import duckdb
import pytest

from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.scale.comparing import COLUMNS_LEFT_OUT, TABLES_LEFT_OUT, compare

pytestmark = pytest.mark.native("two files")

ADA, BOB = UUID(int=1), UUID(int=2)
_VALUES = {"VARCHAR": "'of {}'", "UUID": f"'{ADA}'", "BOOLEAN": "true", "DATE": "date '2026-01-0{}'"}
_TIME = "timestamptz '2026-01-0{} 12:00:00Z'"


def _value(column: str, kind: str, number: int) -> str:
    """Return a value of a type, one for each number; of profiles always the same."""
    if kind.startswith("TIMESTAMP"):
        return _TIME.format(number)
    if kind.endswith("[]"):
        return "[]" if kind.startswith("STRUCT") else f"['of {number}']"
    if kind.startswith(("MAP", "STRUCT")):
        return "map {'counter': " + str(number) + "}"
    if column in ("state", "direction"):
        return {"state": "'success'", "direction": "'import'"}[column]
    return _VALUES.get(kind, "{}").format(number)


def _tables(session: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in session.execute(
        "select table_name, column_name, data_type from duckdb_columns() join duckdb_tables() using (table_name)"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two warehouses with the same two rows in each table, of people that have other ids in the second."""
    files = tmp_path / "first.duckdb", tmp_path / "second.duckdb"
    with Warehouse(files[0]).open("write"):
        pass
    with duckdb.connect(str(files[0])) as session:
        for table, columns in _tables(session).items():
            session.execute(f"delete from {table}")
            for number in (1, 2):
                values = ", ".join(_value(column, kind, number) for column, kind in columns.items())
                session.execute(f"insert into {table} values ({values})")
        session.execute("update exported_goal set number = 1")
        session.execute("delete from exported_goal where goal = 'of 2'")
        session.execute("delete from profile_identifier where value = 'of 2'")
    shutil.copyfile(*files)
    with duckdb.connect(str(files[1])) as session:
        for table, columns in _tables(session).items():
            for column in [name for name, kind in columns.items() if kind == "UUID"]:
                session.execute(f"update {table} set {column} = '{BOB}' where {column} = '{ADA}'")
    return files


def test_equal_warehouses_are_equal(pair: tuple[Path, Path]) -> None:
    """People with other ids, and other values of what is left out, are no difference; every table is compared."""
    with duckdb.connect(str(pair[1])) as session:
        tables = _tables(session)
        session.execute("update run set run_id = 'another', started_at = started_at + interval 1 hour")
    found = compare(*pair)
    assert found.differences == ()
    assert set(found.rows) == set(tables) - set(TABLES_LEFT_OUT)
    assert all(found.rows.values())


@pytest.mark.parametrize("change", ["missing", "doubled", "altered"])
def test_a_difference_in_any_table_is_found(pair: tuple[Path, Path], change: str) -> None:
    """A row is missing, there twice, or has another value in one column."""
    with duckdb.connect(str(pair[1])) as session:
        compared = {name: columns for name, columns in _tables(session).items() if name not in TABLES_LEFT_OUT}
        for table, columns in compared.items():
            if change == "missing":
                session.execute(f"delete from {table} where rowid = (select min(rowid) from {table})")
            elif change == "doubled":
                session.execute(f"insert into {table} from {table} limit 1")
            else:
                column = _altered(table, columns)
                new = f"'{UUID(int=9)}'" if columns[column] == "UUID" else _value(column, columns[column], 9)
                session.execute(f"update {table} set {column} = {new}")
    found = compare(*pair)
    assert {difference.table for difference in found.differences} == set(compared)


def _altered(table: str, columns: dict[str, str]) -> str:
    """Return a column that is compared and takes another value."""
    if table == "run":
        return "rows_applied"
    kinds = ("VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "DOUBLE", "VARCHAR[]", "UUID")
    return next(name for name, kind in columns.items() if kind in kinds and name not in COLUMNS_LEFT_OUT)
