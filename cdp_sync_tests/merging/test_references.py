"""Every table that names a profile says how: the live one, the profile by itself, or what happened to it."""

from pathlib import Path

from cdp_sync.merging.tables import BY_ITSELF, COMPUTED, HISTORY, SHOWN
from cdp_sync.warehouse import Warehouse

NOT_A_PROFILE = {
    *((table, "source") for table in ("imported_file", "imported_row", "keyed_row", "waiting_row")),
    *((table, "row_hash") for table in ("imported_row", "keyed_row", "exported_profile", "quarantine")),
    *((table, "row_key") for table in ("keyed_row", "waiting_row")),
    ("imported_row", "source_hash"),
    *((table, "event_hash") for table in ("expired_event", "exported_event")),
    *((table, "row_hash") for table in ("exported_event", "exported_mailing")),
    *(("identity", column) for column in ("warehouse_id", "history_id")),
}
"""Columns of type uuid that identify something else: a source, the content of a row, the warehouse."""


def test_every_table_that_names_a_profile_is_declared(tmp_path: Path) -> None:
    """Each table with profile ids is listed, and each listed table has them."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as session:
        columns = session.rows(
            """select table_name, column_name
            from information_schema.columns join duckdb_tables() using (table_name)
            where table_catalog = 'warehouse' and database_name = 'warehouse'
                and (data_type ilike '%uuid%' or column_name ilike '%profile_id%')"""
        )
    naming = {table for table, column in columns if (table, column) not in NOT_A_PROFILE}
    assert naming == {*SHOWN, *COMPUTED, *BY_ITSELF, *HISTORY}, "declare new tables in merging/tables.py"
