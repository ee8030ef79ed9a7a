"""A view's figures as a value: exact numbers by period or campaign, as text for files and for programs."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from cdp_sync.analytics.timeframe import Timeframe

Row = Mapping[str, Any]
"""Figures by name; None: the figure has no value, such as a rate of nothing."""


@dataclass(frozen=True)
class Figures:
    """What a view shows of a timeframe."""

    view: str
    timeframe: Timeframe
    keys: tuple[str, ...]
    """The columns that say what a row is about."""
    names: tuple[str, ...]
    """The columns of figures."""
    rows: tuple[Row, ...]
    total: Row
    """The figures of the whole timeframe. Those of profiles that are counted once are no sums of the rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in order."""
        return (*self.keys, *self.names)

    def cells(self) -> list[list[Any]]:
        """Return the rows as cells, in the order of the columns."""
        return [[row[name] for name in self.columns] for row in self.rows]

    def to_csv(self) -> str:
        """Return a file with a header and a row for each period or campaign."""
        return "".join(f"{_record(cells)}\n" for cells in (self.columns, *self.cells()))

    def to_json(self) -> dict[str, Any]:
        """Return the rows and the total; amounts and rates are texts, which keep every digit."""
        frame = self.timeframe
        about = {"view": self.view, "from": frame.since, "to": frame.until, "by": frame.by}
        rows = [{name: row[name] for name in self.columns} for row in self.rows]
        return {**about, "rows": rows, "total": {name: self.total[name] for name in self.names}}

    def text(self, form: str) -> str:
        """Return the content of a file, `csv` or `json`."""
        return self.to_csv() if form == "csv" else json.dumps(self.to_json(), indent=2, default=str) + "\n"


def _record(cells: Iterable[Any]) -> str:
    """Return cells as a line of CSV. The writer puts quotes around the line breaks that it ends records with: both."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


def with_shares(row: Row, shares: Mapping[str, tuple[str, str]]) -> Row:
    """Return figures, and the shares made of two of them each; see `share`."""
    return {**row, **{name: share(row[part], row[whole]) for name, (part, whole) in shares.items()}}


def share(part: int | Decimal | None, whole: int | Decimal | None) -> Decimal | None:
    """Return a part of a whole, rounded half up to four digits; None where one of them is unknown, or the whole is 0.

    >>> share(1, 3), share(2, 3), share(1, 0)
    (Decimal('0.3333'), Decimal('0.6667'), None)
    """
    if part is None or not whole:
        return None
    return Decimal(floor(Fraction(part) / Fraction(whole) * 10_000 + Fraction(1, 2))).scaleb(-4)
