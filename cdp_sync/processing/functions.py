"""Calls Python processors: functions of the project's own that get pieces of rows as pandas DataFrames.

A function gets at most 50,000 rows at a time, those that no earlier processor dropped. All columns are text (pandas'
`str`, missing where a cell is empty), and the index names the rows. It returns a DataFrame: a row whose name is not in
its index is dropped, columns may be changed, and those may be added that `adds` declares.
"""

import ctypes
import importlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from cdp_sync.errors import ProcessorFailed
from cdp_sync.model.processor import Python
from cdp_sync.processing.relation import Relation
from cdp_sync.warehouse import Session, quote_identifier

if TYPE_CHECKING:
    from pandas import DataFrame, Series

PIECE = 50_000
"""Rows that a function gets at a time."""

_GRACE = 1.0
"""Seconds in which a function whose deadline has passed may end."""


class _Expired(BaseException):
    """Raised inside a function whose deadline has passed; no `except Exception` stops it."""


def call_function(session: Session, relation: Relation, settings: Python, place: int) -> None:
    """Give the rows of a table to a function, piece by piece, and write what it returns into the table.

    Raises:
        ProcessorFailed: The function is not found, raises, does not end in time, or returns what is no such DataFrame.
    """
    call = _Call(place, settings)
    names = [name for name in (settings.fields or relation.cells) if name not in settings.adds]
    columns = {name: relation.cells[name] for name in names}
    for piece in _pieces(session, relation, columns):
        _write(session, relation, call, piece, call.run(piece))


def _pieces(session: Session, relation: Relation, columns: Mapping[str, str]) -> "Iterator[DataFrame]":
    """Yield the rows that are kept, in order."""
    first = 0
    selected = "".join(f", {cell} as {quote_identifier(name)}" for name, cell in columns.items())
    while True:
        limits = {"first": first, "piece": PIECE}
        bounds = f"from {relation.source} where kept and rowid >= $first order by rowid limit $piece"
        piece = session.frame(f"select rowid as row_id_{selected} {bounds}", limits).set_index("row_id_")
        if piece.empty:
            return
        yield piece.astype("str").rename_axis("row")
        first = int(piece.index[-1]) + 1


class _Call:
    """A function, and what its errors say of it."""

    def __init__(self, place: int, settings: Python) -> None:
        self.settings = settings
        self._name = f"Processor {place} (python: {settings.function})"
        self._function = self._load()

    def _load(self) -> Callable[[Any], Any]:
        module, _, name = self.settings.function.partition(":")
        ended = _Ended(lambda: getattr(importlib.import_module(module), name), self.settings.deadline_seconds)
        if ended.hangs or ended.error is not None:
            why = "it does not end"
            if ended.error and not ended.hangs:
                why = f"{type(ended.error).__name__}{_place_of(ended.error, module)}"
            raise ProcessorFailed(
                f"{self._name} cannot be imported: {why}.",
                needed="The module must be importable by the process that runs the goal.",
                remedy="Correct the name `package.module:function`, or install the package.",
            ) from None
        if not callable(ended.result):
            raise ProcessorFailed(f"{self._name} is no function.", remedy="Correct the name `package.module:function`.")
        called: Callable[[Any], Any] = ended.result
        return called

    def run(self, piece: "DataFrame") -> "DataFrame":
        """Return what the function makes of a piece, checked."""
        given = piece.copy(deep=False)
        ended = _Ended(lambda: self._function(given), self.settings.deadline_seconds)
        if ended.hangs:
            raise self.failure(
                f"did not end within {self.settings.deadline_seconds:g} s",
                piece,
                needed="It must end within `deadline_seconds`.",
            )
        if ended.error is not None:
            raise self.failure(
                f"raised {type(ended.error).__name__}{_place_of(ended.error, self.settings.module)}", piece
            ) from None
        self._check(piece, ended.result)
        result: DataFrame = ended.result
        return result

    def _check(self, piece: "DataFrame", result: object) -> None:
        from pandas import DataFrame

        if not isinstance(result, DataFrame):
            raise self.failure(f"returned {type(result).__name__}", piece, needed="A DataFrame is needed.")
        if not result.index.is_unique:
            raise self.failure("returned a row more than once", piece, needed="A processor never adds rows.")
        if unknown := len(result.index.difference(piece.index)):
            raise self.failure(
                f"returned {unknown:,} with an index that it did not get",
                piece,
                needed="The index names the rows: it must be kept, and no row can be added.",
            )
        known = {*piece.columns, *self.settings.adds}
        if extra := [str(name) for name in result.columns if name not in known]:
            raise self.failure(
                f"added {', '.join(map(repr, extra))}", piece, needed="Declare the columns that it adds: `adds`."
            )
        if not result.columns.is_unique:
            raise self.failure("returned a column more than once", piece)

    def text_of(self, piece: "DataFrame", column: "Series[Any]") -> "Series[Any]":
        """Return a column that the function changed, which has to hold text."""
        from pandas.api.types import infer_dtype

        kind = infer_dtype(column, skipna=True)
        if kind not in ("string", "empty"):
            raise self.failure(
                f"returned {kind} in {column.name!r}", piece, needed="All columns are text; write `.astype('str')`."
            )
        return column.astype("str")

    def failure(self, what: str, piece: "DataFrame", *, needed: str = "") -> ProcessorFailed:
        """Return an error that names the function and the rows it got, never their values."""
        rows = f"rows {piece.index[0] + 1:,} to {piece.index[-1] + 1:,}"
        return ProcessorFailed(
            f"{self._name} {what}, of {rows}.", needed=needed, remedy="Correct the function; nothing of it landed."
        )


def _write(session: Session, relation: Relation, call: _Call, piece: "DataFrame", result: "DataFrame") -> None:
    """Write the columns that changed, and mark the rows that were dropped."""
    changed = {
        str(name): call.text_of(piece, result[name])
        for name in result.columns
        if name not in piece.columns or not _is_same(piece[name], result[name])
    }
    columns = {f"n{number}": column for number, column in enumerate(changed.values())}
    assigned = [f"{relation.cells[name]} = returned.{column}" for name, column in zip(changed, columns, strict=True)]
    if changed:
        returned = result[[]].assign(**columns).rename_axis("row_id_").reset_index()
        with session.lent(returned, "returned"):
            session.execute(
                f"update {relation.source} as processed set {', '.join(assigned)} from returned "
                "where processed.rowid = returned.row_id_"
            )
    if gone := piece.index.difference(result.index).tolist():
        session.execute(
            f"update {relation.source} set kept = false where rowid in (select unnest(?::bigint[]))", [gone]
        )


def _is_same(before: "Series[Any]", after: "Series[Any]") -> bool:
    """Return whether a column was returned as it was given: then both have their cells in the same memory."""
    import numpy as np

    return len(before) == len(after) and np.shares_memory(before.to_numpy(), after.to_numpy())


class _Ended:
    """How work ended, in a thread of its own that has a deadline."""

    def __init__(self, work: Callable[[], Any], deadline: float) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._work = work
        thread = threading.Thread(target=self._run, name="processor", daemon=True)
        with redirect_stdout(sys.stderr):  # standard output is the command's own, such as its JSON
            thread.start()
            thread.join(deadline)
        self.hangs = thread.is_alive()
        if self.hangs and thread.ident:  # takes effect once the work is back in Python; else it ends with the process
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Expired))
            thread.join(_GRACE)

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - SystemExit of a function must not end the run
            self.error = error


def _place_of(error: BaseException, module: str) -> str:
    """Return the line of the module at which an error was raised; the error's own text may quote values."""
    name = f"{module.rpartition('.')[2]}.py"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(name)]
    return f" on line {lines[-1]} of {name}" if lines else ""
