"""Fills an empty warehouse from a dump, in one transaction: all of it lands and equals the dump, or nothing does."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from cdp_sync.errors import DumpUnusable, WarehouseUnusable
from cdp_sync.quoting import quote_identifier, quote_literal
from cdp_sync.warehouse.backend import Warehouse, latest_version
from cdp_sync.warehouse.dumping.digests import digest_of, type_of
from cdp_sync.warehouse.dumping.dump import OWN, dumped_tables, stored
from cdp_sync.warehouse.dumping.manifest import Manifest, Table, read_manifest
from cdp_sync.warehouse.session import Session


def restore(warehouse: Warehouse, folder: Path, done: Callable[[Table], object]) -> Manifest:
    """Fill an empty warehouse, or one that does not exist yet; `done` is called after each table.

    Counts and digests of what the warehouse holds then are compared with those of the dump.

    Raises:
        DumpUnusable: It is no whole dump, is damaged, or is of another version.
        WarehouseUnusable: The warehouse is not empty.
    """
    manifest = read_manifest(folder)
    _verify(manifest)
    new = _new_counts()
    with warehouse.open("write") as session:
        session.begin()
        if _counts(session) != new:
            raise WarehouseUnusable(
                f"{warehouse.name} is not empty.",
                needed="A dump is restored into a warehouse that nothing was imported into.",
                remedy="Name a new one in CDP_SYNC_WAREHOUSE, or move this one away.",
            )
        for table in manifest.tables:
            _restore_table(session, table, folder)
            done(table)
        session.commit()
    return manifest


def _verify(manifest: Manifest) -> None:
    if manifest.version != latest_version():
        raise DumpUnusable(
            f"The dump is of a warehouse of version {manifest.version}.",
            needed=f"This cdp_sync works with version {latest_version()}.",
            remedy="Use the same version of cdp_sync to dump and to restore.",
        )
    for table in manifest.tables:
        if table.name in OWN:
            raise DumpUnusable(f"The dump holds {table.name}.", remedy="Dump the warehouse again.")
        for column, kind in table.columns.items():
            type_of(f"{table.name}.{column}", kind)


def _new_counts() -> dict[str, int]:
    with TemporaryDirectory() as nowhere, Warehouse(Path(nowhere, "none.duckdb")).open("read") as session:
        return _counts(session)


def _counts(session: Session) -> dict[str, int]:
    return {name: session.value(f"select count(*) from {stored(name)}") for name in dumped_tables(session)}


def _restore_table(session: Session, table: Table, folder: Path) -> None:
    """Make a table anew with the columns of the dump, so that also their order is the same, and fill it."""
    columns = {name: str(type_of(name, kind)) for name, kind in table.columns.items()}
    defined = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns.items())
    session.execute(f"create or replace table {stored(table.name)} ({defined})")
    file = table.file(folder)
    if not file.is_file():
        raise _damaged(file, "is missing")
    try:
        session.execute(f"insert into {stored(table.name)} by name from read_parquet({quote_literal(str(file))})")
    except WarehouseUnusable as error:
        if isinstance(error.__cause__, duckdb.Error):
            raise _damaged(file, "cannot be read or does not fit its table") from error
        raise
    if (found := digest_of(session, stored(table.name), columns)) != (table.rows, table.digest):
        what = f"has {found[0]:,} rows, not {table.rows:,}" if found[0] != table.rows else "has other values"
        raise _damaged(file, f"{what}, as the warehouse stores it")


def _damaged(file: Path, why: str) -> DumpUnusable:
    return DumpUnusable(
        f"{file.name} {why}.",
        needed="What the warehouse holds must equal what the manifest says.",
        remedy="Dump the warehouse again. Nothing was restored.",
    )
