"""A warehouse in DuckLake: tables as Parquet files in a folder or an object store, their catalog in PostgreSQL.

Readers read the snapshot that was the latest as they began, and never wait. A writer has the turn.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import duckdb

from cdp_sync.errors import CdpSyncError, SettingUnusable, WarehouseUnusable
from cdp_sync.private import private_folder
from cdp_sync.quoting import quote_literal
from cdp_sync.warehouse.backend import upkeep
from cdp_sync.warehouse.backend.migrating import latest_version, migrate, version_of
from cdp_sync.warehouse.backend.turn import PATIENCE, answer, connected, turn
from cdp_sync.warehouse.backend.warehouse import Access, Warehouse, verify_room
from cdp_sync.warehouse.session import Session, translate

_EXTENSIONS: Final = ("ducklake", "postgres_scanner")
_STORE_EXTENSION: Final = "httpfs"

_STORE: Final = "s3://"

_FENCE: Final = "update warehouse.identity set history_place = history_place"
"""What every transaction writes: of two that run at once, as one has lost its turn and goes on, only one commits."""


@dataclass(frozen=True)
class Lake(Warehouse):
    """The profiles in DuckLake.

    Args:
        path: In the folder on this machine where DuckDB spills what does not fit into memory; no file is made there.
        lock_timeout: Seconds to wait for the process that writes.
        memory_limit: As for a file.
        catalog: The PostgreSQL database of the catalog as libpq names it, `dbname=… host=…`, without a password.
        data: The folder of the Parquet files, or `s3://bucket/prefix`.
    """

    catalog: str = ""
    data: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the lake"

    @property
    def place(self) -> str:
        """Where its catalog lies, for people, without a user or a password."""
        from psycopg2.extensions import parse_dsn  # of the extra

        parts = parse_dsn(self.catalog)
        return f"the lake in {parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname')}"

    @property
    def is_shared(self) -> bool:
        """Whether several machines may use it."""
        return True

    def exists(self) -> bool:
        """Return whether it was made; opened for writing it is made."""
        return self._snapshot() is not None

    def state(self) -> str:
        """Return what differs after a process has written to it."""
        return str(self._snapshot() or "")

    def copy_to(self, path: Path) -> None:
        """Copy it, as it is at one moment, into a file that does not exist; nothing is made where it does not exist."""
        if not self.exists():
            return
        with self.open("read") as session:
            session.attach(path, "copy")
            session.execute("copy from database warehouse to copy")

    def upkeep(self, now: datetime, keep: timedelta) -> Mapping[str, int]:
        """Merge small files, and remove former states and files that nobody needs; others may write between steps."""
        done = {}
        for counted in upkeep.STEPS:
            with self.open("write") as session:
                done[counted] = upkeep.take(session, counted, now, keep)
        return done

    def verify_room(self, size: int) -> None:
        """Make sure that the folder can take so many bytes more; of an object store nothing can be known.

        Raises:
            DiskFull: There is no room for them.
            WarehouseUnusable: Nothing can be written there.
        """
        if not self.data.startswith(_STORE):
            verify_room(private_folder(Path(self.data)), size, beside=self.name)

    def _open_warehouse(self, session: Session, access: Access, held: ExitStack) -> None:
        load_extensions(session, with_store=self.data.startswith(_STORE))
        if access == "write":
            verify = held.enter_context(turn(self.catalog, self.lock_timeout))
            held.callback(session.close)  # before the turn ends
            if not self.exists():
                self._verify_own_place(session)
            self._attach_lake(session)
            migrate(session)
            session.before_commit(verify)
            session.before_commit(lambda: session.execute(_FENCE))
        elif (snapshot := self._snapshot()) is None:
            session.attach(Path(":memory:"), "warehouse")
            migrate(session)
        else:
            self._attach_lake(session, snapshot)
            if version_of(session) != latest_version():
                session.execute("detach warehouse")
                with self.open("write"):
                    pass
                self._attach_lake(session, self._snapshot())

    def _verify_own_place(self, session: Session) -> None:
        """Refuse a place for a new lake that holds files: the upkeep removes those that the catalog does not know."""
        if session.value("select count(*) from glob(?)", [f"{self.data}/**"]):
            raise WarehouseUnusable(
                f"There are files in {self.data}, and the catalog has no lake.",
                needed="A new lake needs a place of its own.",
                remedy="Correct CDP_SYNC_WAREHOUSE if the files are a lake's, or name an empty place for the new one.",
            )

    def _attach_lake(self, session: Session, snapshot: int | None = None) -> None:
        """Attach it, to write or as it was at a snapshot."""
        if not self.data.startswith(_STORE):
            private_folder(Path(self.data))
        named = " ".join([self.catalog, *(f"{name}={value}" for name, value in PATIENCE.items())])
        options = f"data_path {quote_literal(self.data)}" + (f", snapshot_version {snapshot}" if snapshot else "")
        try:
            session.attach(Path(f"ducklake:postgres:{named}"), "warehouse", options)
        except duckdb.Error as error:
            raise _unusable(error) from error

    def _snapshot(self) -> int | None:
        """Return the number of the latest snapshot; None where no lake was made."""
        with connected(self.catalog) as connection:
            if not answer(connection, "select to_regclass('ducklake_snapshot') is not null")[0][0]:
                return None
            return int(answer(connection, "select max(snapshot_id) from ducklake_snapshot")[0][0])


def load_extensions(session: Session, *, with_store: bool) -> None:
    """Load what DuckDB needs for a lake from the packages of the extra, without a network; and how to reach a store."""
    try:
        from duckdb_extensions import import_extension
    except ImportError:
        raise SettingUnusable(
            "CDP_SYNC_WAREHOUSE names a lake, and the extensions of DuckDB that it needs are not installed.",
            remedy="Install `cdp-sync[ducklake]`, in an environment of its own: it brings another version of DuckDB.",
        ) from None
    for name in (*_EXTENSIONS, *((_STORE_EXTENSION,) if with_store else ())):
        session.load(name, import_extension)
    if with_store:
        _name_store(session)


def _name_store(session: Session) -> None:
    """Let DuckDB reach the object store by the variables that AWS's own programs read."""
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    parts = {
        "key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
        "secret": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": os.environ.get("AWS_SESSION_TOKEN"),
        "region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        "endpoint": endpoint.netloc,
        "use_ssl": "false" if endpoint.scheme == "http" else None,
        "url_style": "path" if endpoint.netloc else None,
    }
    known = ", ".join(f"{name} {quote_literal(value)}" for name, value in parts.items() if value)
    try:
        session.execute(f"create secret store (type s3{', ' if known else ''}{known})")
    except CdpSyncError:
        raise WarehouseUnusable(  # not from the error: it may quote the statement
            "DuckDB does not take how to reach the object store.",
            needed="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL say it.",
            remedy="Correct these environment variables.",
        ) from None


def _unusable(error: duckdb.Error) -> CdpSyncError:
    text = str(error)
    if "data path" in text.lower():
        return WarehouseUnusable(
            "The lake has its files elsewhere than CDP_SYNC_WAREHOUSE_DATA says.",
            needed="Every machine has to name the folder or bucket with which the lake was made.",
            remedy="Correct the variable, or mount the folder where it was.",
        )
    if "version" in text.lower() and isinstance(error, duckdb.InvalidInputException | duckdb.NotImplementedException):
        return WarehouseUnusable(
            "The lake has a format that this version of DuckDB does not know.",
            needed=f"This is DuckDB {duckdb.__version__}.",
            remedy="Use the `cdp-sync[ducklake]` that wrote it, or a newer one.",
        )
    return translate(error, name="the lake")
