"""Pollution of one record, the header or a row."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from cdp_sync_tests.pollock.table import COLUMNS, ROWS, Cells, article_prefix, table
from cdp_sync_tests.pollock.writing import Dialect, Record, Tokens, Variant, header, record, variant

DIALECT = Dialect()

Polluter = Callable[[Tokens, Cells, int], tuple[Tokens, Cells | None]]
"""Turns tokens, cells and a column into polluted tokens and their cells, or None without a right reading."""


def quote_before_cell(tokens: Tokens, cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Insert a quote before the cell's text; in the right reading it is text."""
    return _in_cell(tokens, cells, column, 0)


def quote_inside_cell(tokens: Tokens, cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Insert a quote into the middle of the cell's text."""
    return _in_cell(tokens, cells, column, len(cells[column]) // 2)


def quote_after_cell(tokens: Tokens, cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Insert a quote after the cell's text."""
    return _in_cell(tokens, cells, column, len(cells[column]))


def _in_cell(tokens: Tokens, cells: Cells, column: int, place: int) -> tuple[Tokens, Cells]:
    """Insert a quote at a position of a cell; in a quoted cell earlier quotes are doubled."""
    token, cell = tokens[2 * column], cells[column]
    quoted = len(token) >= 2 and token.startswith('"')
    written = place + 1 + cell[:place].count('"') if quoted else place
    return _replaced(tokens, column, token[:written] + '"' + token[written:]), (
        *cells[:column], cell[:place] + '"' + cell[place:], *cells[column + 1 :]
    )  # fmt: skip


def _replaced(tokens: Tokens, column: int, token: str) -> Tokens:
    return (*tokens[: 2 * column], token, *tokens[2 * column + 1 :])


def one_more_separator(tokens: Tokens, _cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Insert a separator before a column, or after the last one."""
    place = 2 * column
    return (*tokens[:place], ",", *tokens[place:]), None


def one_separator_less(tokens: Tokens, _cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Remove the separator before a column."""
    return (*tokens[: 2 * column - 1], *tokens[2 * column :]), None


def blanks_as_separators(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Replace the separators of the row by blanks."""
    return tuple(" " if number % 2 else token for number, token in enumerate(tokens)), None


def apostrophes_as_quotes(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Replace quotes by apostrophes and line breaks by blanks; in the right reading apostrophes are text."""
    written = tuple(f"'{token[1:-1]}'".replace("\n", " ") if token.startswith('"') else token for token in tokens)
    split = any("," in token for token in written[::2])
    return written, None if split else tuple(written[::2])


def half_of_the_cells(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Keep only the first four cells of the row."""
    return tokens[:7], None


def twice_the_cells(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Repeat the last cell of the row nine times."""
    return (*tokens, *([",", tokens[-1]] * 9)), None


EVERY = range(len(COLUMNS))
WHOLE = range(1)

ALL = range(ROWS + 1)
ROWS_ONLY, SOME_ROWS = ALL[1:], ALL[1:29]
"""For pollutions that would change the names in the header."""

IN_RECORDS: tuple[tuple[Polluter, range, range], ...] = (
    (quote_before_cell, ALL, EVERY),
    (one_more_separator, ALL, range(len(COLUMNS) + 1)),
    (one_separator_less, ALL, EVERY[1:]),
    (blanks_as_separators, ALL, WHOLE),
    (apostrophes_as_quotes, ROWS_ONLY, WHOLE),
    (half_of_the_cells, ALL, WHOLE),
    (twice_the_cells, ALL, WHOLE),
    (quote_inside_cell, SOME_ROWS, EVERY),
    (quote_after_cell, SOME_ROWS, EVERY),
)
"""The pollutions with their records and columns. Record 0 is the header."""


def polluted_records(numbers: "count[int]") -> Iterator[Variant]:
    """Yield a file for each pollution, record and column, and one for each record with another line end."""
    for pollute, places, columns in IN_RECORDS:
        for place in places:
            for column in columns:
                yield _polluted(pollute, place, column, next(numbers))
    for place in ALL:
        yield other_line_end(place, next(numbers))


_CLEAN = [header(DIALECT), *(record(cells, DIALECT) for cells in table(0))]


def _records(number: int) -> list[Record]:
    """Return the records of a file, which are written once and get the file's number."""
    one, other = article_prefix(0), article_prefix(number)
    return [
        replace(
            each, text=each.text.replace(one, other), cells=tuple(cell.replace(one, other) for cell in each.cells or ())
        )
        for each in _CLEAN
    ]


def _polluted(pollute: Polluter, place: int, column: int, number: int) -> Variant:
    records = _records(number)
    cells = records[place].cells or COLUMNS
    tokens, said = pollute(DIALECT.tokens(cells), cells, column)
    records[place] = replace(records[place], text="".join(tokens) + DIALECT.line_end, cells=said)
    return variant(pollute.__name__, f"{pollute.__name__}_{place}_{column}.csv", records)


def other_line_end(place: int, number: int) -> Variant:
    """End one record with LF."""
    records = _records(number)
    records[place] = replace(records[place], text=records[place].text.removesuffix("\r\n") + "\n")
    return variant("other_line_end", f"other_line_end_{place}.csv", records)
