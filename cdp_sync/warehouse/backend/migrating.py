"""Migrations: the changes that make the tables of a warehouse, applied in order."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import duckdb

from cdp_sync.errors import WarehouseUnusable
from cdp_sync.warehouse.session import Session


@dataclass(frozen=True)
class Migration:
    """One change to the tables; applied once, in one transaction with its record."""

    version: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the migrations of `sql/migrations/`, in order."""
    folder = resources.files("cdp_sync.warehouse").joinpath("sql", "migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name[5:-4], file.read_text(encoding="utf-8")) for file in files)


def latest_version() -> int:
    """Return the version that this code works with."""
    return migrations()[-1].version


def version_of(session: Session) -> int:
    """Return the version of the attached warehouse; 0 where it has no tables yet."""
    try:
        return int(session.value("select coalesce(max(version), 0) from warehouse.migration"))
    except WarehouseUnusable as error:
        # To look for the table first would take DuckDB 15 ms in every session.
        if isinstance(error.__cause__, duckdb.CatalogException):
            return 0
        raise


def migrate(session: Session) -> None:
    """Apply what is missing.

    Raises:
        WarehouseUnusable: The warehouse was written by a newer version.
    """
    version = version_of(session)
    if version > latest_version():
        raise WarehouseUnusable(
            f"The warehouse has version {version}.",
            needed=f"This cdp_sync works with version {latest_version()}.",
            remedy="Use the newer cdp_sync that wrote it.",
        )
    for migration in (each for each in migrations() if each.version > version):
        session.begin()
        if migration.version == 1:
            session.execute("create table warehouse.migration (version integer, name text, applied_at timestamptz)")
        session.execute(migration.sql)
        record = "insert into warehouse.migration values ($version, $name, now())"
        session.execute(record, {"version": migration.version, "name": migration.name})
        session.commit()
