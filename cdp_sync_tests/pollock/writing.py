"""Writing delimited files record by record, each with its right reading."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cdp_sync_tests.pollock.table import COLUMNS, Cells

_ALWAYS_QUOTED = {COLUMNS.index(name) for name in ("Description", "Link")}

Tokens = tuple[str, ...]
"""A record without line end as alternating cells and separators."""


@dataclass(frozen=True)
class Dialect:
    """The format of records; RFC 4180 by default."""

    separator: str = ","
    quote: str = '"'
    escape: str = '"'
    """The character before a quote inside quotes; empty for none. A backslash also escapes itself."""
    quoting: Literal["needed", "all", "none"] = "needed"
    line_end: str = "\r\n"

    def tokens(self, cells: Sequence[str]) -> Tokens:
        """Return the tokens of a record."""
        written = [self._cell(place, cell) for place, cell in enumerate(cells)]
        return tuple(token for cell in written for token in (self.separator, cell))[1:]

    def _cell(self, place: int, cell: str) -> str:
        if self.quoting == "none":
            return self._escaped(cell, {self.separator, "\n", '"'})
        special = (self.separator, self.quote, "\r", "\n")
        if self.quoting == "needed" and not any(one in cell for one in special) and not self._habit(place, cell):
            return self._escaped(cell, set()) if self.escape == "\\" else cell
        return self.quote + self._escaped(cell, {self.quote}) + self.quote

    def _habit(self, place: int, cell: str) -> bool:
        return bool(cell) and place in _ALWAYS_QUOTED

    def _escaped(self, cell: str, special: set[str]) -> str:
        if not self.escape:
            return cell
        both = special | {self.escape} if self.escape == "\\" else special
        return re.sub("|".join(map(re.escape, sorted(both))), lambda found: self.escape + found[0], cell)


@dataclass(frozen=True)
class Record:
    """A record of a file with its line end."""

    text: str
    cells: Cells | None = None
    """The right reading; None if there is none."""
    is_row: bool = True
    """Whether it must be imported or accounted for; not so for a header or a declared comment."""

    @property
    def breaks(self) -> int:
        """The number of line breaks."""
        return self.text.count("\n") + self.text.count("\r") - self.text.count("\r\n")


@dataclass(frozen=True)
class Row:
    """A row of a file with its lines and right reading."""

    first: int
    last: int
    cells: Cells | None


@dataclass(frozen=True)
class Variant:
    """A file with its declaration and the right reading of its rows."""

    kind: str
    name: str
    content: bytes
    rows: tuple[Row, ...]
    form: Mapping[str, Any] = field(default_factory=dict)


def record(cells: Cells, dialect: Dialect) -> Record:
    """Return a row in this format."""
    return Record("".join(dialect.tokens(cells)) + dialect.line_end, cells)


def header(dialect: Dialect, columns: Sequence[str] = COLUMNS) -> Record:
    """Return the header in this format."""
    return replace(record(tuple(columns), dialect), is_row=False)


def line(text: str, dialect: Dialect, *, is_row: bool = False) -> Record:
    """Return a line without a right reading; as a row it must be accounted for."""
    return Record(text + dialect.line_end, None, is_row)


def variant(
    kind: str, name: str, records: Iterable[Record], form: Mapping[str, Any] | None = None, encoding: str = "utf-8"
) -> Variant:
    """Return a file of these records with this declaration."""
    rows, number, text = [], 1, []
    for each in records:
        if each.is_row:
            rows.append(Row(number, number + max(each.breaks - 1, 0), each.cells))
        number += each.breaks
        text.append(each.text)
    return Variant(kind, name, "".join(text).encode(encoding), tuple(rows), form or {})
