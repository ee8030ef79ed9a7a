"""The head of a delimited file: its columns, and where its rows begin."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.grammar import ESCAPED_END, NOT_CLOSED, Grammar
from cdp_sync.model import Format, ImportGoal, counted
from cdp_sync.model.column_name import shown

HEAD_SIZE = 1 << 20
"""Bytes within which the header must end."""

_CANDIDATES = (",", ";", "\t", "|", ":")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")  # its text and its line break
_NOTHING = re.compile(r"[\r\n\x1a]*\Z")
_SEPARATOR_LINE = re.compile(r'("?)sep=(.+)\1', re.IGNORECASE)


@dataclass(frozen=True)
class Head:
    """The columns of a file and how much stands before its first row."""

    columns: tuple[str, ...]
    """None where the file has neither a header nor a row."""
    lines: int
    """Physical lines before the first row: those skipped and the header's, which are `text`."""
    text: str = ""
    header: str = ""
    """The header as it stands there, without the line break that ends it."""

    @property
    def names_separator(self) -> bool:
        """Whether the first line names the separator to a spreadsheet."""
        return bool(_SEPARATOR_LINE.fullmatch(_line(self.text, 0).group(1)))

    def missing(self, fields: Iterable[str]) -> list[str]:
        """Return those fields that are no column."""
        return [field for field in fields if field not in self.columns]


@dataclass(frozen=True)
class Record:
    """The record that begins at a place of a text, or the one line there that begins none."""

    text: str
    """As it stands there, without the line break that ends it."""
    cells: tuple[str, ...]
    end: int
    """Where the next line begins."""
    problem: str = ""
    """Why it is no record."""


def read_head(text: str, form: Format) -> Head | None:
    """Read the columns from the beginning of a file; None where nothing but blank lines and comments is there.

    Raises:
        FileRejected: The header is malformed, or a line `sep=` contradicts the declared separator.
    """
    begin = 0
    for _ in range(form.skip_rows):
        begin = _line(text, begin).end()
    begin = begin or _after_separator_line(text, form)
    while begin < len(text) and _is_passed_over(_line(text, begin), form):
        begin += len(_line(text, begin).group())
    if _NOTHING.match(text, begin):
        return None
    if not form.header or _is_trailer(text, begin, form):
        return _head(text[:begin], _numbered_columns(text, begin, form))
    record = split_record(text, form, begin)
    problem = record.problem
    if any(re.search(r"[\r\n]", cell) and form.separator in cell for cell in record.cells):
        problem = "a quoted name spans lines and holds separators, as if its quote did not close"
    if problem:
        lines = counted(form.max_record_lines, "line")
        raise FileRejected(
            f"The header cannot be read: {problem}.",
            needed=f"Its names must be separated by {form.separator!r}, on at most {lines}.",
            remedy="Have the header corrected, or declare the `quote` that the file has.",
        )
    columns = tuple(cell.replace("\r\n", "\n").strip() for cell in record.cells)
    return _head(text[: record.end], columns, record.text)


def _head(text: str, columns: tuple[str, ...], header: str = "") -> Head:
    lines = sum(1 for line in _LINE.finditer(text) if line.group())
    *names, header = (name.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name in (*columns, header))
    return Head(tuple(names), lines, text, header)


def _line(text: str, position: int) -> re.Match[str]:
    return next(_LINE.finditer(text, position))


def _is_passed_over(line: re.Match[str], form: Format) -> bool:
    return not line.group(1) or bool(form.comment and line.group(1).startswith(form.comment))


def _after_separator_line(text: str, form: Format) -> int:
    """Return where the text goes on after a first line that names the separator to a spreadsheet."""
    line = _line(text, 0)
    named = _SEPARATOR_LINE.fullmatch(line.group(1))
    if named is None or form.skip_rows:
        return 0
    if named.group(2) != form.separator:
        raise FileRejected(
            f"The first line says that {named.group(2)!r} separates fields; {form.separator!r} is declared.",
            needed="The declaration and the first line must agree.",
            remedy=f"Declare `separator: {named.group(2)!r}`, or `skip_rows: 1` where that line is wrong.",
        )
    return line.end()


def _is_trailer(text: str, position: int, form: Format) -> bool:
    line = _line(text, position)
    declared = form.trailer and line.group(1).startswith(form.trailer.begins_with)
    return bool(declared and _NOTHING.match(text, line.end()))


def _numbered_columns(text: str, position: int, form: Format) -> tuple[str, ...]:
    """Return as many numbered columns as the first row has that is not malformed."""
    while position < len(text):
        line = _line(text, position)
        position, record = line.end(), split_record(text, form, position)
        if record.problem or _is_passed_over(line, form) or _is_trailer(text, line.start(), form):
            continue
        kind = form.record_type
        if kind is None or record.cells[kind.field - 1 : kind.field] == (kind.equals,):
            return tuple(f"column{number}" for number in range(1, len(record.cells) + 1))
        position = record.end
    return ()


def split_record(text: str, form: Format, position: int = 0) -> Record:
    """Split the record that begins at a position of a text."""
    grammar = Grammar(form)
    lines = _logical_lines(text, form, position)
    stop, end, _ = next(lines)
    first, prepared = text[position:stop], grammar.prepare(text[position:stop])
    if not grammar.matches(grammar.opens, prepared):
        problem = grammar.problem(prepared)
        return Record(first, () if problem else grammar.split(prepared), end, problem)
    begin = end
    for line_stop, line_end, height in lines:
        view = grammar.prepare(text[begin:line_stop])
        is_closed = grammar.matches(grammar.closes, view)
        if height > form.max_record_lines or not (is_closed or grammar.matches(grammar.continues, view, plain=True)):
            break
        if is_closed:
            whole = text[position:line_stop]
            return Record(whole, grammar.split(grammar.prepare(whole)), line_end)
        begin = line_end
    return Record(first, (), end, NOT_CLOSED)


def _logical_lines(text: str, form: Format, position: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each line stops, where the next begins, and how many lines that is; an escaped break ends none."""
    height = 0
    while position < len(text) or not height:
        line = _line(text, position)
        position, height = line.end(), height + 1
        escapes = form.escape and not _is_passed_over(line, form) and ESCAPED_END.search(line.group(1))
        if escapes and position < len(text) and not _is_trailer(text, position, form):
            continue
        yield line.end(1), position, height


def check_columns(head: Head, goal: ImportGoal, text: str, *, processed: bool = False) -> list[str]:
    """Return warnings about the columns; where the goal has processors, about those after them, which are `processed`.

    Raises:
        FileRejected: No linked column is there, one of `row_key` is not, or one that is needed stands there twice.
    """
    if goal.processors and not processed:
        return []
    links = goal.naming_fields
    if set(links) <= set(head.missing(links)) - goal.from_elsewhere:
        # A header of which nothing is declared may be no header, but a person's data.
        is_header = bool(set(goal.row_fields) & set(head.columns))
        seen = f"found: {listed(head.columns)}" if is_header else "nothing in it is declared"
        raise FileRejected(
            f"No linked column is in the header; {seen}.",
            needed=f"At least one of these is needed: {', '.join(map(repr, dict.fromkeys(links)))}.",
            remedy=_fitting_separator(text, goal) or "Correct the links, or have the column delivered.",
        )
    times = Counter(head.columns)
    if wrong := [field for field in goal.row_key if times[field] != 1 and (times[field] or not goal.keys_may_lack)]:
        raise FileRejected(
            f"The header does not have {', '.join(map(repr, wrong))} once.",
            needed="Every field of row_key must be one column: without it a row cannot replace its former self.",
            remedy="Correct row_key, or have the column delivered.",
        )
    needed = set(goal.fields) if goal.map_detected is None else set(head.columns) - {""}
    if repeated := sorted(name for name in needed if times[name] > 1):
        raise FileRejected(
            f"The header names {listed(repeated)} more than once.",
            needed="A linked or mapped column must be there once.",
            remedy="Have the columns renamed.",
        )
    missing = (name for name in head.missing(goal.fields) if name not in goal.from_elsewhere)
    return [f"Column {name!r} is not in the file." for name in missing]


def _fitting_separator(text: str, goal: ImportGoal) -> str:
    for separator in _CANDIDATES:
        try:
            other = read_head(text, goal.format.model_copy(update={"separator": separator}))
        except FileRejected:
            continue
        if other and any(field in other.columns for field in goal.naming_fields):
            return f"The separator {separator!r} fits; declare `separator: {separator!r}`."
    return ""


def listed(names: Iterable[str]) -> str:
    """Return columns' names with commas between them; those that are not shown only once."""
    return ", ".join(dict.fromkeys(map(shown, names)))
