"""Writes all tables of a warehouse to a folder, as they are at one moment."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cdp_sync.errors import FilesInTheWay, WarehouseUnusable
from cdp_sync.private import private_file, private_folder
from cdp_sync.quoting import quote_identifier, quote_literal
from cdp_sync.warehouse.backend import Warehouse, version_of
from cdp_sync.warehouse.dumping.digests import digest_of, type_of
from cdp_sync.warehouse.dumping.manifest import Manifest, Table, file_of
from cdp_sync.warehouse.properties import stored_columns
from cdp_sync.warehouse.session import Session

OWN: Final = ("identity", "migration")
"""Tables about a warehouse itself, which another one has of its own."""


def dump(warehouse: Warehouse, folder: Path, done: Callable[[Table], object]) -> Manifest:
    """Write every table to a folder, and last its manifest; `done` is called after each.

    Raises:
        FilesInTheWay: The folder is not empty.
        WarehouseUnusable: There is no warehouse, or the folder cannot be written.
        DumpUnusable: A column has a type that cannot be dumped.
    """
    if not warehouse.exists():
        raise WarehouseUnusable("There is no warehouse yet.", remedy="Check CDP_SYNC_WAREHOUSE and CDP_SYNC_DATA.")
    _make(folder)
    with warehouse.open("read") as session:
        tables = []
        for name in dumped_tables(session):
            tables.append(_dump_table(session, name, folder))
            done(tables[-1])
        manifest = Manifest(version_of(session), tuple(tables))
    _write(manifest, folder)
    return manifest


def dumped_tables(session: Session) -> list[str]:
    """Return the tables of the attached warehouse that a dump holds, by name."""
    query = """
        select table_name
        from duckdb_tables()
        where database_name = 'warehouse' and schema_name = 'main' and not list_contains($own, table_name)
        order by table_name"""
    return [name for (name,) in session.rows(query, {"own": OWN})]


def stored(name: str) -> str:
    """Return a table of the warehouse, as SQL names it."""
    return f"warehouse.{quote_identifier(name)}"


def _dump_table(session: Session, name: str, folder: Path) -> Table:
    columns = stored_columns(session, name)
    for column, kind in columns.items():
        type_of(f"{name}.{column}", kind)
    file = file_of(folder, name)
    session.execute(f"copy {stored(name)} to {quote_literal(str(file))} (format parquet, compression zstd)")
    private_file(file)
    return Table(name, columns, *digest_of(session, stored(name), columns))


def _make(folder: Path) -> None:
    try:
        private_folder(folder)
        if any(folder.iterdir()):
            raise FilesInTheWay(f"{folder} is not empty.", remedy="Name a folder that is empty or does not exist.")
    except OSError as error:
        raise _not_written(folder, error) from error


def _write(manifest: Manifest, folder: Path) -> None:
    try:
        manifest.write(folder)
    except OSError as error:
        raise _not_written(folder, error) from error


def _not_written(folder: Path, error: OSError) -> WarehouseUnusable:
    return WarehouseUnusable(
        f"{folder} cannot be written: {error.strerror or 'the disk failed'}.",
        remedy="Name a folder that can be written, on a disk with room.",
    )
