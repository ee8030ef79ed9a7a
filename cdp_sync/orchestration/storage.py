"""Where Dagster keeps the history of runs; `dagster.yaml` names it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, NullPool, create_engine


class RunHistory(DagsterSqliteStorage):
    """Dagster's files, written by `EventLog`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)  # noqa: SLF001 - told nowhere else

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:  # noqa: ANN401
        """Return the storage that an instance's settings describe."""
        return cls.from_local(inst_data=inst_data, **config_value)


class EventLog(SqliteEventLogStorage):
    """Dagster's log of events, for half the time: a run of one goal is some 60 of them, 7 ms each.

    Dagster makes an engine for every event, which has to compile its statements first; this one engine is for all
    files, and keeps them. Dagster also closes a file behind every event, upon which SQLite moves its log into it, at
    the price of two waits for the disk; here the files that are being written stay open, and are touched instead: the
    UI learns of events when a file changes.
    """

    def __init__(self, base_dir: str) -> None:
        self._engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: self._open(self._shard))
        self._writes = ""
        self._kept_open = ExitStack()
        super().__init__(base_dir)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and let those know who follow its run."""
        super().store_event(event)
        if event.run_id != self._writes:
            self._keep_open(event.run_id)
        os.utime(self.path_for_shard(event.run_id))

    def dispose(self) -> None:
        """Close what is open."""
        with self._db_lock:
            self._kept_open.close()
            self._writes = ""
        super().dispose()

    def _keep_open(self, run_id: str) -> None:
        """Keep a run's file open, and that of all runs, in place of those of the run before."""
        with self._db_lock:
            self._kept_open.close()
            for shard in (INDEX_SHARD_NAME, run_id):
                connection = self._kept_open.enter_context(closing(self._open(shard)))
                connection.execute("select count(*) from sqlite_schema").fetchall()  # opens the file
            self._writes = run_id

    def _open(self, shard: str) -> sqlite3.Connection:
        path = self.path_for_shard(shard)
        return sqlite3.connect(path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS, check_same_thread=False)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard) as connection:  # which makes its tables
                yield connection
            return
        with self._db_lock:
            self._shard = shard
            with self._engine.begin() as connection:
                yield connection
