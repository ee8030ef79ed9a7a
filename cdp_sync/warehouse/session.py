"""One open DuckDB connection, and the steps that run on it."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from duckdb import sqltypes
from duckdb.func import SPECIAL

from cdp_sync.errors import (
    CdpSyncError,
    DiskFull,
    FileRejected,
    ValueOutOfRange,
    WarehouseChanged,
    WarehouseDamaged,
    WarehouseUnreachable,
    WarehouseUnusable,
)
from cdp_sync.model.mail_address import ascii_domain
from cdp_sync.quoting import quote_literal

if TYPE_CHECKING:
    from pandas import DataFrame

Values = Mapping[str, object] | Sequence[object] | None

_TABLE = r"(?<!distinct )\b(?:from|join|using|into|update)\s+((?:\w+\.)?\w+)\b(?!\s*[.(])"
"""A table in a statement, its name as the group; neither a function nor the `from` of `is distinct from`."""


@dataclass(frozen=True)
class Step:
    """One statement of a plan: the table that it makes or fills, and the values that are bound as `$name`."""

    yields: str
    sql: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def reads(self) -> frozenset[str]:
        """The intermediate tables that the statement reads or changes: an earlier step has to have made them."""
        plain = re.sub(r"--.*|'(?:[^']|'')*'", "''", self.sql)
        named = re.findall(_TABLE, plain, re.IGNORECASE)
        expressions = re.findall(r"\b(\w+) as (?:materialized )?\(", plain)
        return frozenset(name for name in named if not name.startswith("warehouse.")).difference(expressions)

    def __str__(self) -> str:
        """Return the statement as a person would read it."""
        return f"-- {self.yields}\n{self.sql};"


_UUID_OF = "lpad(to_hex(number), 32, '0')::uuid" if duckdb.__version__.startswith("1.") else "number::uuid"
"""The UUID with the 128 bits of a number, which DuckDB 1 does not cast: digests are equal in both."""


class Session:
    """An open connection with the catalogs `warehouse` and, where asked for, `staging`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._has_functions = False
        self._before_commit: list[Callable[[], object]] = []
        connection.execute(f"create temp macro uuid_of(number) as {_UUID_OF}")

    def execute(self, sql: str, values: Values = None) -> "Session":
        """Run one statement, or several without values."""
        try:
            self._connection.execute(sql, values or None)
        except duckdb.Error as error:
            raise translate(error, sql) from error
        return self

    def rows(self, sql: str, values: Values = None) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        self.execute(sql, values)
        return self._connection.fetchall()

    def row(self, sql: str, values: Values = None) -> tuple[Any, ...]:
        """Return the one row of a query."""
        return self.rows(sql, values)[0]

    def value(self, sql: str, values: Values = None) -> Any:  # noqa: ANN401 - whatever the query yields
        """Return the first value of the first row."""
        return self.row(sql, values)[0]

    def records(self, sql: str, values: Values = None) -> list[dict[str, Any]]:
        """Return all rows of a query as dicts."""
        rows = self.rows(sql, values)
        names = [column[0] for column in self._connection.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def frame(self, sql: str, values: Values = None) -> "DataFrame":
        """Return all rows of a query as a pandas DataFrame."""
        self.execute(sql, values)
        return self._connection.df()

    @contextmanager
    def lent(self, frame: "DataFrame | Mapping[str, Any]", name: str) -> Iterator[None]:
        """Let statements read a DataFrame, or arrays by the names of columns, as a view of this name."""
        self._connection.register(name, frame)
        try:
            yield
        finally:
            self._connection.unregister(name)

    def set(self, name: str, value: str) -> None:
        """Change a setting of this session."""
        self.execute(f"set {name} = {quote_literal(value)}")

    def define_functions(self) -> None:
        """Let statements call `ascii_domain(text)`. Only where needed: DuckDB loads numpy for it, which takes 0.1 s."""
        if not self._has_functions:
            text = sqltypes.VARCHAR
            self._connection.create_function("ascii_domain", ascii_domain, [text], text, null_handling=SPECIAL)
            self._has_functions = True

    def run(self, steps: Iterable[Step]) -> None:
        """Run the steps of a plan in order; an error names the step and shows its statement."""
        observe = observer.get()
        for step in steps:
            began = time.perf_counter()
            try:
                self.execute(step.sql, step.values)
            except WarehouseUnusable as error:
                if isinstance(error.__cause__, duckdb.IOException):
                    raise  # the statement does not matter to it
                raise type(error)(f"Step {step.yields} failed: {error.found}", needed=str(step)) from error
            if observe:
                counted = self._connection.fetchone()
                observe(EndedStep(step, self, counted[0] if counted else None, time.perf_counter() - began))

    def attach(self, path: Path, name: str, options: str = "") -> None:
        """Attach a database file. DuckDB's error is not translated: callers distinguish a lock from a broken file."""
        # The path is written out: DuckDB 1 binds none here.
        self._connection.execute(f"attach {quote_literal(str(path))} as {name}{f' ({options})' if options else ''}")

    def load(self, extension: str, install: Callable[..., object]) -> None:
        """Load an extension of DuckDB; `install(name, con=…)` copies it from its package where DuckDB looks for it."""
        try:
            self._connection.load_extension(extension)
        except duckdb.Error:
            install(extension, con=self._connection)
            self._connection.load_extension(extension)

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute("begin")

    def commit(self) -> None:
        """Commit the open transaction.

        Raises:
            WarehouseChanged: Another process has changed the same.
        """
        for prepare in self._before_commit:
            prepare()
        self.execute("commit")

    def before_commit(self, prepare: Callable[[], object]) -> None:
        """Have something called before each commit, within the transaction; where it raises, nothing is committed."""
        self._before_commit.append(prepare)

    def roll_back(self) -> None:
        """Give up the open transaction, if there is one."""
        try:
            self._connection.rollback()
        except duckdb.TransactionException:
            return

    def close(self) -> None:
        """Close the connection and with it the instance: what is not committed is gone, the files are free."""
        with suppress(duckdb.Error):  # the catalog of a lake may be gone
            self.roll_back()  # an instance must not end while a transaction writes to a lake
        self._connection.close()


@dataclass(frozen=True)
class EndedStep:
    """A step that a session ran: how many rows it wrote or removed, None for a view, and how many seconds it took."""

    step: Step
    session: Session
    rows: int | None
    seconds: float

    def __str__(self) -> str:
        """Return it as a line of a log, without any value."""
        rows = "view" if self.rows is None else f"{self.rows:,}"
        return f"{self.seconds:8.3f} s  {rows:>12}  {self.step.yields}"


Observer = Callable[[EndedStep], object]

observer: ContextVar[Observer | None] = ContextVar("observer", default=None)
"""What is called after each step; None: nothing."""


@contextmanager
def observed_by(called: Observer) -> Iterator[None]:
    """Have something called after each step that this context runs meanwhile."""
    token = observer.set(called)
    try:
        yield
    finally:
        observer.reset(token)


def translate(error: duckdb.Error, sql: str = "", *, name: str = "The warehouse") -> CdpSyncError:
    """Put a DuckDB error into our tree. Values never show: messages that may quote data are cut to their kind.

    `sql` is not shown where the disk is at fault. `name` is the file's, where the message does not say it.
    """
    text = str(error).partition("\n\nStack Trace")[0]
    if any(sign in text for sign in _NO_ROOM):
        return no_room()
    if any(sign in text for sign in _DAMAGE):
        named = re.search(r"""file ["']([^"']+)["']""", text)
        return damaged(Path(named[1]).name if named else name, "cut off, or was written by something else")
    if any(sign in text for sign in _GONE):
        return WarehouseUnreachable(
            "The database with the catalog of the lake, or the store with its files, does not answer any more.",
            remedy="See that this machine reaches them, and run again: what has landed does not land twice.",
        )
    if isinstance(error, duckdb.TransactionException) and any(sign in text for sign in _CONFLICT):
        return WarehouseChanged(
            "Another process has written to the warehouse at the same time.",
            needed="What is to land has to be worked out against what it wrote.",
            remedy="Run again; nothing of this transaction has landed.",
        )
    if isinstance(error, duckdb.IOException):
        return WarehouseUnusable(f"{text.removeprefix('IO Error: ')}.", remedy="Look at the disk that holds the file.")
    return _of_a_statement(error, text, sql)


def _of_a_statement(error: duckdb.Error, text: str, sql: str) -> CdpSyncError:
    if "CSV" in text and isinstance(error, duckdb.InvalidInputException):
        return FileRejected(
            f"The file cannot be parsed: {text.splitlines()[0].removeprefix('Invalid Input Error: ')}",
            remedy="Look at the file at that line, and at the declared format.",
        )
    if isinstance(error, _ABOUT_SQL) or "read-only mode" in text:
        return WarehouseUnusable(text, needed=sql)
    if isinstance(error, duckdb.InvalidInputException):
        return WarehouseUnusable("InvalidInputException: a value that a function does not take.", needed=sql)
    masked = f"{type(error).__name__}: {re.sub(_QUOTED, '…', text.splitlines()[0])}"
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return ValueOutOfRange(masked, needed=sql)
    return WarehouseUnusable(masked, needed=sql)


def no_room() -> DiskFull:
    """Return the error of a full disk."""
    return DiskFull(
        "There is no room left on the disk that holds the warehouse.",
        remedy="Free some space and run again; nothing of this run has landed.",
    )


def damaged(name: str, how: str) -> WarehouseDamaged:
    """Return the error of a file that DuckDB cannot read: its name, and what it is."""
    return WarehouseDamaged(
        f"{name} is damaged: it is {how}.",
        needed="It must be as cdp_sync left it, with its .wal if there is one.",
        remedy="Put a copy of it back. Without one move it away and run the connections: they import anew.",
    )


_DAMAGE = ("Could not read enough bytes", "Corrupt database file", "not a valid DuckDB database", "Serialization Error")
"""What DuckDB says of a file that is cut off or overwritten."""

_GONE = (
    "Unable to connect to Postgres",
    "server closed the connection",
    "terminating connection",
    "no connection to the server",
    "Could not establish connection",
    "could not receive data from server",
    "could not send data to server",
)
"""What DuckDB says where PostgreSQL or an object store does not answer."""

_CONFLICT = ("onflict", "Failed to commit DuckLake transaction")
"""What DuckDB says where two transactions have changed the same."""

_ABOUT_SQL = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
"""Errors that quote statements, never data."""

_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large", "failed to offload")
_QUOTED = r"'[^']*'|\"[^\"]*\"|\b\d[\d.]*\b"


@cache
def statement(name: str) -> str:
    """Return the fixed statement of a file below the package, such as `importing/linking/matched`, without `.sql`."""
    return resources.files("cdp_sync").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def fixed(yields: str, name: str, values: Mapping[str, object] | None = None, **parts: str) -> Step:
    """Return the step of a fixed statement, with these parts of SQL in it."""
    sql = statement(name)
    return Step(yields, sql.format(**parts) if parts else sql, values or {})
