"""Where Dagster keeps the history of runs, and what their steps print; `dagster.yaml` names it."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, NullPool, create_engine

_PAGE = 512
"""Bytes of a page in a run's file. Dagster's tables and indexes have a page each: of SQLite's usual 4096, 115 kB."""

_OF_HANDLES = {DagsterEventType.HANDLED_OUTPUT, DagsterEventType.LOADED_INPUT, DagsterEventType.STEP_INPUT}
"""Events that say that a step's output was written and read. Nobody asks for them: its STEP_OUTPUT is the record."""


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

    A run's file also takes a third of the space: its pages are smaller, and events about handles are left out.
    """

    def __init__(self, base_dir: str) -> None:
        self._engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: self._open(self._shard))
        self._writes = ""
        self._kept_open = ExitStack()
        super().__init__(base_dir)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and let those know who follow its run."""
        if event.dagster_event_type in _OF_HANDLES:
            return
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
            self._begin(shard)
            with super()._connect(shard) as connection:  # which makes its tables
                yield connection
            return
        with self._db_lock:
            self._shard = shard
            with self._engine.begin() as connection:
                yield connection

    def _begin(self, shard: str) -> None:
        """Begin a run's file, if it is not there; its pages keep their size."""
        if shard != INDEX_SHARD_NAME and not Path(self.path_for_shard(shard)).exists():
            with closing(self._open(shard)) as connection:
                connection.execute(f"pragma page_size = {_PAGE}")
                connection.execute("pragma journal_mode = wal")  # writes the first page


class NoComputeLogs(LocalComputeLogManager):
    """Keeps no copy of what steps print; shows and deletes those that were kept before.

    Steps log what they have to say, and a file for each run, in two folders of its own, would hold a copy of that.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:  # noqa: ANN401
        """Return what an instance's settings describe."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Let steps print where the process prints."""
        yield CapturedLogContext(log_key)

    def is_capture_complete(self, log_key: Sequence[str]) -> bool:
        """Return that there is nothing to wait for."""
        return True
