"""Where Dagster keeps the history of runs; `dagster.yaml` names it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from dagster._core.storage.event_log import SqliteEventLogStorage
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
    """Dagster's log of events, for a third less: a run of one goal is some 60 of them, 7 ms each.

    Dagster makes an engine for every event, which has to compile its statements first; this one engine is for all
    files, and keeps them. Connections are opened and closed as ever: the UI learns of events when a file changes.
    """

    def __init__(self, base_dir: str) -> None:
        self._engine = create_engine("sqlite://", poolclass=NullPool, creator=self._open)
        super().__init__(base_dir)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path_for_shard(self._shard), timeout=SQLITE_BUSY_TIMEOUT_SECONDS)

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
