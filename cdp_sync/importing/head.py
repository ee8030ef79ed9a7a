"""The head of a delimited file: its columns, and where its rows begin."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cdp_sync.errors import FileRejected
from cdp_sync.model import Format, ImportGoal

HEAD_SIZE = 1 << 20
"""Characters within which the header must end."""

_CANDIDATES = (",", ";", "\t", "|", ":")


@dataclass(frozen=True)
class Head:
    """The columns of a file and how much stands before its first row."""

    columns: tuple[str, ...]
    lines: int
    """Physical lines before the first row: those skipped and the header's."""

    def missing(self, fields: Iterable[str]) -> list[str]:
        """Return those fields that are no column."""
        return [field for field in fields if field not in self.columns]


def read_head(text: str, form: Format) -> Head | None:
    """Read the columns from the beginning of a file, whose line breaks are line feeds.

    Returns:
        The head; None where nothing but blank lines follows the skipped ones.

    Raises:
        FileRejected: A quote in the header opens and does not close.
    """
    start = _after_lines(text, form.skip_rows)
    while text[start : start + 1] == "\n":
        start += 1
    if start >= len(text):
        return None
    cells, end = split_record(text[start:], form)
    if not form.header:
        columns = tuple(f"column{number}" for number in range(1, len(cells) + 1))
        return Head(columns, text[:start].count("\n"))
    columns = tuple(cell.strip() for cell in cells)
    read = text[: start + end]
    return Head(columns, read.count("\n") + (not read.endswith("\n")))


def _after_lines(text: str, lines: int) -> int:
    position = 0
    for _ in range(lines):
        found = text.find("\n", position)
        position = len(text) if found < 0 else found + 1
    return position


def split_record(text: str, form: Format) -> tuple[list[str], int]:
    """Split the first record; return its cells and how many characters it takes with its line break.

    Raises:
        FileRejected: A quote opens and does not close.
    """
    cells: list[str] = []
    position = 0
    while True:
        cell, position = _read_cell(text, position, form)
        cells.append(cell)
        if text.startswith(form.separator, position):
            position += len(form.separator)
        else:
            return cells, min(position + 1, len(text))


def _read_cell(text: str, position: int, form: Format) -> tuple[str, int]:
    if form.quote and text.startswith(form.quote, position):
        return _read_quoted(text, position, form)
    end = text.find(form.separator, position)
    end = len(text) if end < 0 else end
    line_end = text.find("\n", position, end)  # no further, or a header of many columns takes time by their square
    end = end if line_end < 0 else line_end
    return text[position:end], end


def _read_quoted(text: str, position: int, form: Format) -> tuple[str, int]:
    quote, start = form.quote, position + 1
    end = text.find(quote, start)
    while end >= 0 and text.startswith(quote, end + 1):
        end = text.find(quote, end + 2)
    if end < 0:
        raise FileRejected("A quote in the header opens and does not close.", remedy="Close it, or declare `quote`.")
    return text[start:end].replace(quote * 2, quote), end + 1


def check_columns(head: Head, goal: ImportGoal, text: str) -> list[str]:
    """Return warnings about the columns.

    Raises:
        FileRejected: No linked column is there, or a column that is needed stands there twice.
    """
    links = [link.field for link in goal.link]
    if set(links) <= set(head.missing(links)) - goal.from_elsewhere:
        raise FileRejected(
            f"No linked column is in the header; {_seen(head, goal)}.",
            needed=f"Needed: {_listed(dict.fromkeys(links))}.",
            remedy=_fitting_separator(text, goal) or "Correct the links, or have the column delivered.",
        )
    needed = set(goal.fields) if goal.map_detected is None else set(head.columns) - {""}
    times = Counter(head.columns)
    if repeated := sorted(name for name in needed if times[name] > 1):
        raise FileRejected(
            f"The header names {_listed(repeated)} more than once.",
            needed="A linked or mapped column stands there once.",
            remedy="Have the columns renamed.",
        )
    missing = (name for name in head.missing(goal.fields) if name not in goal.from_elsewhere)
    return [f"Column {name!r} is not in the file." for name in missing]


def _seen(head: Head, goal: ImportGoal) -> str:
    """Return what the header holds; where nothing of it is declared it may be no header, but a person's data."""
    if set(goal.fields) & set(head.columns):
        return f"found: {_listed(head.columns)}"
    return "nothing in it is declared"


def _fitting_separator(text: str, goal: ImportGoal) -> str:
    for separator in _CANDIDATES:
        try:
            other = read_head(text, goal.format.model_copy(update={"separator": separator}))
        except FileRejected:
            continue
        if other and any(link.field in other.columns for link in goal.link):
            return f"The separator {separator!r} fits; declare `separator: {separator!r}`."
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
