"""Reads the first sheet of an Excel workbook, .xlsx or .xls, to rows of text cells.

A row's line is its number in the sheet. Rows without a value are no rows, and are counted. A text stays as it is, also
`007`. A number is written with the format's decimal sign: a whole one with all its digits, any other with the 15 digits
that Excel keeps. A date is written as `2026-01-31`, one with a time after midnight as `2026-01-31 12:30:00`, in both
date systems (1900, 1904); a truth value in the format's words. A formula has the value that was saved with it; an
error, such as `#N/A`, is no value.

The library makes Python values of all cells. A column of a block is converted as a whole, kind by kind.
"""

import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time, timedelta
from functools import reduce
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.csv_header import Head, check_columns
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.reading.survey import Survey
from cdp_sync.importing.sources.archives import Part, allowance
from cdp_sync.model import Format, ImportGoal
from cdp_sync.warehouse import Session, Step, quote_literal

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

Row = list[Any]
Texts = np.ndarray[Any, np.dtype[np.object_]]

_BLOCK = 1_000
"""Rows that are converted at a time: so few that their cells stay in the processor's cache."""
_BLOCKS = 20
"""Blocks that are handed to DuckDB at a time: a statement for each would take as long as its conversion."""
_ALL_DIGITS = 15
"""Characters of a number from which on it may have more digits than Excel keeps, or an exponent."""
_MOST_CELLS = 25_000_000
"""Cells of a sheet, empty ones included; each takes some 30 bytes of memory."""
_FIRST_SHEET, _HEAD = "xl/worksheets/sheet1.xml", 1 << 16
_BROKEN = (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What reading the archive around a workbook raises where it is damaged."""
_EXACT = 2.0**63
"""From here on a whole number does not fit into 64 bits."""


def normalize_sheet(session: Session, part: Part, goal: ImportGoal) -> NormalizedPart | None:
    """Make `record(n, c1, c2, …)` of a workbook's first sheet; None where it has no rows.

    Raises:
        FileRejected: It is no workbook of the declared type, too large, damaged or protected by a password, or its
            columns do not fit the goal.
    """
    form = goal.format
    with _first_sheet(part.local, form) as sheet:
        rows = iter(sheet.iter_rows())
        head, first = _read_head(rows, form, goal)
        if head is None:
            return None
        warnings = check_columns(head, goal, "")
        passed_over = _load(session, chain(first, rows), head, form)
    if passed_over:
        warnings.append(f"Rows without a value: {passed_over:,}. They are no rows.")
    columns = ", ".join(f"c{number}" for number, _ in enumerate(head.columns, 1))
    survey = Survey(nuls=form.type == "xls", divided=True)  # XML holds no NUL
    relation = f"(select {columns} from record)"
    return NormalizedPart(part.name, part.local, head, 0, survey, tuple(warnings), reader="excel", relation=relation)


def read_sheet(session: Session, _part: NormalizedPart, _form: Format) -> None:
    """Make the tables of lines that are no rows: a sheet has none."""
    session.execute("create or replace temp table physical_line (raw text)")
    nothing = "create or replace temp table reject (n bigint, until bigint, in_quote boolean, reason text)"
    session.run([Step("reject", nothing)])


@contextmanager
def _first_sheet(path: Path, form: Format) -> Iterator["CalamineSheet"]:
    with ExitStack() as opened:
        try:
            sheet = _open(path, form, opened)
        except BaseException as error:
            if isinstance(error, _BROKEN) or type(error).__name__ == "PanicException":  # of Rust: no Exception
                raise _damaged(form.type, error) from None
            raise
        yield sheet


def _open(path: Path, form: Format, opened: ExitStack) -> "CalamineSheet":
    import python_calamine as calamine

    _check_size(path, form)
    if form.type == "xls":
        _probe(path)
    try:
        workbook = opened.enter_context(calamine.CalamineWorkbook.from_path(str(path)))
        if form.type == "xlsx" and not zipfile.is_zipfile(path):
            raise FileRejected("The workbook is an old one (.xls).", remedy="Declare `format: {type: xls}`.")
        if not workbook.sheet_names:
            raise FileRejected("The workbook holds no sheet.", remedy="Have it delivered with one.")
        return workbook.get_sheet_by_index(0)
    except calamine.PasswordError:
        raise FileRejected(
            "The workbook is protected by a password.", remedy="Have it saved without a password; SFTP encrypts it."
        ) from None
    except (calamine.CalamineError, calamine.XmlError, calamine.ZipError) as error:
        raise _damaged(form.type, error) from None


_PROBE = """
import sys
import python_calamine
try:
    python_calamine.CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0)
except python_calamine.PasswordError:
    pass
"""
_LONGEST_PROBE = 300.0
"""Seconds after which an old workbook counts as damaged."""


def _probe(path: Path) -> None:
    """Open an old workbook in a process of its own: some damaged ones make the library end its process.

    Raises:
        FileRejected: That process did not succeed.
    """
    command = [sys.executable, "-c", _PROBE, str(path)]
    try:
        ended = subprocess.run(command, timeout=_LONGEST_PROBE, check=False, capture_output=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise _damaged("xls", "it takes too long") from None
    if ended.returncode:
        raise _damaged("xls", "it is damaged")


def _damaged(kind: str, why: object) -> FileRejected:
    return FileRejected(
        f"The workbook cannot be read: {why}.",
        needed=f"Needed is an Excel workbook (.{kind}).",
        remedy="Open it in Excel, save it again, and have it delivered again.",
    )


def _check_size(path: Path, form: Format) -> None:
    size, most = path.stat().st_size, form.max_megabytes
    if size > most * 1_000_000:
        raise FileRejected(
            f"The workbook has {size / 1_000_000:,.1f} MB.",
            needed=f"At most {most:,} MB are allowed.",
            remedy=f"Have it delivered as CSV, or declare `max_megabytes: {size // 1_000_000 + 1}` in `format`.",
        )
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > allowance(size):
            raise FileRejected(
                f"The workbook unpacks to {unpacked:,} bytes.",
                needed=f"At most {allowance(size):,} bytes are allowed.",
                remedy="Have it delivered as CSV.",
            )
        if _FIRST_SHEET in archive.namelist():
            with archive.open(_FIRST_SHEET) as sheet:
                _check_extent(sheet.read(_HEAD))


def _check_extent(head: bytes) -> None:
    """Make sure that a sheet does not reach far beyond its data: every cell up to its last one takes memory."""
    if found := re.search(rb'<dimension ref="[A-Z]+\d+:([A-Z]+)(\d+)"', head):
        letters, rows = found[1].decode(), int(found[2])
        columns = reduce(lambda number, letter: number * 26 + ord(letter) - 64, letters, 0)
        if columns * rows > _MOST_CELLS:
            raise FileRejected(
                f"The sheet reaches to the cell {letters}{rows}: {columns * rows:,} cells.",
                needed=f"At most {_MOST_CELLS:,} are allowed.",
                remedy="Delete the rows and columns after its data, save it, and have it delivered again.",
            )


def _read_head(rows: Iterator[Row], form: Format, goal: ImportGoal) -> tuple[Head | None, list[Row]]:
    """Take the rows up to the header; return the columns, and the first row where there is no header."""
    passed_over = sum(1 for _ in islice(rows, form.skip_rows))
    for passed_over, row in enumerate(rows, passed_over + 1):  # noqa: B020 - it counts on
        if not any(str(cell).strip() for cell in row):
            continue
        if not form.header:
            names = tuple(f"column{number}" for number, _ in enumerate(row, 1))
            return Head(goal.named(names), passed_over - 1), [row]
        named = _texts(row, form)
        names = tuple(str(name).replace("\r\n", "\n").strip() for name in named)
        return Head(goal.named(names), passed_over), []
    return None, []


def _load(session: Session, rows: Iterator[Row], head: Head, form: Format) -> int:
    """Make `record` of the rows that have a value; return how many have none."""
    cells = [f"c{number}" for number, _ in enumerate(head.columns, 1)]
    typed = ", ".join(f"{cell} text" for cell in cells)
    nulls = ", ".join(quote_literal(text) for text in dict.fromkeys(("", *form.nulls)))
    values = ", ".join(f"case when {cell} not in ({nulls}) then {cell} end" for cell in cells)
    filled = " or ".join(f"trim({cell}) <> ''" for cell in cells)
    session.run([Step("record", f"create or replace temp table record (n bigint, {typed})")])
    insert = Step("record", f"insert into record select n, {values} from sheet_rows where {filled}")
    blocks = iter(lambda: list(islice(rows, _BLOCK)), [])
    converted = ([_texts(column, form) for column in zip(*block, strict=True)] for block in blocks)
    taken = 0
    while chunk := list(islice(converted, _BLOCKS)):
        columns = dict(zip(cells, map(np.concatenate, zip(*chunk, strict=True)), strict=True))
        first, taken = taken + 1, taken + sum(len(block[0]) for block in chunk)
        with session.lent({"n": np.arange(first, taken + 1), **columns}, "sheet_rows"):
            session.run([insert])
    return taken - int(session.value("select count(*) from record"))


def _texts(values: Sequence[Any], form: Format) -> Texts:
    """Return a column's cells as text; most columns hold one kind of values."""
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return np.array(_WRITTEN[kinds.pop()](values, form), dtype=object)
    cells = np.array(values, dtype=object)
    kind_of = np.fromiter(map(id, map(type, values)), np.int64, len(values))
    for kind in kinds - {str}:
        chosen = kind_of == id(kind)
        cells[chosen] = _WRITTEN[kind](cells[chosen].tolist(), form)
    return cells


def _numbers(values: Sequence[float], form: Format) -> Texts:
    numbers = np.array(values, dtype=np.float64)
    whole = (numbers == np.floor(numbers)) & (abs(numbers) < _EXACT)
    texts = np.empty(len(values), dtype=object)
    texts[whole] = list(map(str, numbers[whole].astype(np.int64).tolist()))
    fractions = numbers[~whole].tolist()
    written = [text if len(text) < _ALL_DIGITS else _fraction(float(text)) for text in map(repr, fractions)]
    texts[~whole] = written if form.decimal == "." else [text.replace(".", form.decimal) for text in written]
    return texts


def _fraction(number: float) -> str:
    """Return a number without an exponent, which no cell of delimited text has.

    >>> _fraction(0.1 + 0.2), _fraction(1e-7), _fraction(1e20)
    ('0.3', '0.0000001', '100000000000000000000')
    """
    text = f"{number:.15g}"
    return f"{number:.22f}".rstrip("0").rstrip(".") if "e-" in text else f"{number:.0f}" if "e" in text else text


def _truths(values: Sequence[bool], form: Format) -> list[str]:
    true, false = (form.booleans.true[0], form.booleans.false[0]) if form.booleans else ("true", "false")
    return [true if value else false for value in values]


def _duration(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _mapped(write: Callable[[Any], str]) -> Callable[[Sequence[Any], Format], list[str]]:
    return lambda values, _form: list(map(write, values))


_WRITTEN: Mapping[type, Callable[[Sequence[Any], Format], Sequence[str] | Texts]] = {
    str: lambda values, _form: values,
    float: _numbers,
    int: _mapped(str),
    bool: _truths,
    date: _mapped(date.isoformat),
    datetime: _mapped(str),
    time: _mapped(str),
    timedelta: _mapped(_duration),
}
