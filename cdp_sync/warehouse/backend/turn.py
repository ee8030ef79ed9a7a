"""The writer's turn: one writer at a time across machines, by an advisory lock in the database of a lake's catalog.

The lock belongs to a session with the database, and ends with it: also that of a process that was killed, and, after
the keepalives have failed, that of a machine that is gone. What is committed does not rely on the lock alone: see
`cdp_sync.warehouse.backend`.
"""

import hashlib
import logging
import math
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cdp_sync.errors import WarehouseLocked, WarehouseUnreachable
from cdp_sync.retrying import Pauses, RetryPolicy

if TYPE_CHECKING:
    import psycopg2.extensions

_logger = logging.getLogger(__name__)
_PAUSES = Pauses(first=0.02, growth=1.5, longest=0.5)

PATIENCE: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How libpq finds that the database is gone: within 10 seconds as it connects, within 25 later. The last in ms."""

_STATEMENT = 10_000
"""Milliseconds that the database may take to answer about a lock."""

_HOLDER = """
select application_name
from pg_locks
join pg_stat_activity using (pid)
where locktype = 'advisory' and granted and pg_locks.database = (
    select oid from pg_database where datname = current_database()
) and (classid::bigint << 32 | objid::bigint) = %s"""


@contextmanager
def turn(catalog: str, timeout: float) -> Iterator[Callable[[], object]]:
    """Hold the turn of the lake whose catalog is in this database, given as libpq names it.

    Yields what verifies that it is still held, to be called before a commit: it raises WarehouseUnreachable where the
    session with the database has ended, and the turn with it.

    Args:
        catalog: `dbname=… host=…`, without a password.
        timeout: Seconds to wait for who holds it.

    Raises:
        WarehouseLocked: Somebody held it for longer.
        WarehouseUnreachable: The database does not answer.
    """
    with connected(catalog) as connection:

        def take() -> None:
            if not answer(connection, "select pg_try_advisory_lock(%s)", _KEY)[0][0]:
                raise WarehouseLocked(
                    f"The lake is held by {_holder(connection)} for more than {timeout:g} s.",
                    needed="One process at a time can write to it.",
                    remedy="Close that process, or run again when it is done.",
                )

        RetryPolicy(math.inf, _PAUSES, timeout, log=_logger.debug).call(take)
        yield lambda: answer(connection, "select 1")


@contextmanager
def connected(catalog: str) -> Iterator["psycopg2.extensions.connection"]:
    """Yield a session with the database, each of whose statements is a transaction of its own.

    Raises:
        WarehouseUnreachable: The database does not answer.
    """
    import psycopg2  # of the extra

    try:
        connection = psycopg2.connect(
            catalog, application_name=_own_name(), options=f"-c statement_timeout={_STATEMENT}", **PATIENCE
        )
    except psycopg2.OperationalError as error:
        raise unreachable(error) from error
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


def answer(connection: "psycopg2.extensions.connection", sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query.

    Raises:
        WarehouseUnreachable: The database does not answer any more.
    """
    import psycopg2

    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())
    except psycopg2.OperationalError as error:
        raise unreachable(error) from error


def unreachable(error: Exception) -> WarehouseUnreachable:
    """Return the error of a database that does not answer, with the first line of what libpq says."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return WarehouseUnreachable(
        f"The database with the catalog of the lake does not answer: {lines[0]}.",
        remedy="See that it runs and that this machine reaches it, and run again; nothing of this run has landed.",
    )


def _own_name() -> str:
    """Return what others are shown of this process; PostgreSQL keeps 63 bytes of it."""
    return f"cdp_sync process {os.getpid()} on {socket.gethostname()}"[:63]


def _holder(connection: "psycopg2.extensions.connection") -> str:
    found = answer(connection, _HOLDER, _KEY)
    return str(found[0][0]).removeprefix("cdp_sync ") if found else "a process that is just ending"


_KEY = int.from_bytes(hashlib.sha256(b"cdp_sync lake").digest()[:8], "big") >> 2
"""The lock's number: a database holds one lake."""
