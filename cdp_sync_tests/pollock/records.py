"""Pollution of one record of a file, the header or a row: each function says what it does to the record."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from cdp_sync_tests.pollock.table import COLUMNS, ROWS, Cells, article_prefix, table
from cdp_sync_tests.pollock.writing import Dialect, Record, Tokens, Variant, header, record, variant

DIALECT = Dialect()

Polluter = Callable[[Tokens, Cells, int], tuple[Tokens, Cells | None]]
"""Takes a record as it is written, what it says, and a column; returns both anew. Without any right reading: None."""


def quote_before_cell(tokens: Tokens, cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Write one more quote before what the cell says: if anything is right, the quote is text."""
    return _in_cell(tokens, cells, column, 0)


def quote_inside_cell(tokens: Tokens, cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Write one more quote into the middle of what the cell says."""
    return _in_cell(tokens, cells, column, len(cells[column]) // 2)


def quote_after_cell(tokens: Tokens, cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Write one more quote after what the cell says."""
    return _in_cell(tokens, cells, column, len(cells[column]))


def _in_cell(tokens: Tokens, cells: Cells, column: int, place: int) -> tuple[Tokens, Cells]:
    """Write a quote after so many characters of a cell; quotes before them are doubled where the cell is quoted."""
    token, cell = tokens[2 * column], cells[column]
    quoted = len(token) >= 2 and token.startswith('"')
    written = place + 1 + cell[:place].count('"') if quoted else place
    return _replaced(tokens, column, token[:written] + '"' + token[written:]), (
        *cells[:column], cell[:place] + '"' + cell[place:], *cells[column + 1 :]
    )  # fmt: skip


def _replaced(tokens: Tokens, column: int, token: str) -> Tokens:
    return (*tokens[: 2 * column], token, *tokens[2 * column + 1 :])


def one_more_separator(tokens: Tokens, _cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Write one more separator before a column, or after the last one."""
    place = 2 * column
    return (*tokens[:place], ",", *tokens[place:]), None


def one_separator_less(tokens: Tokens, _cells: Cells, column: int) -> tuple[Tokens, Cells | None]:
    """Leave out the separator before a column."""
    return (*tokens[: 2 * column - 1], *tokens[2 * column :]), None


def blanks_as_separators(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Write blanks for the separators of the row."""
    return tuple(" " if number % 2 else token for number, token in enumerate(tokens)), None


def apostrophes_as_quotes(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Write apostrophes for the quotes around cells, blanks for line breaks: they are text, and separators split."""
    written = tuple(f"'{token[1:-1]}'".replace("\n", " ") if token.startswith('"') else token for token in tokens)
    split = any("," in token for token in written[::2])
    return written, None if split else tuple(written[::2])


def half_of_the_cells(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Write the first four cells of the row only."""
    return tokens[:7], None


def twice_the_cells(tokens: Tokens, _cells: Cells, _column: int) -> tuple[Tokens, Cells | None]:
    """Write the last cell of the row nine times more."""
    return (*tokens, *([",", tokens[-1]] * 9)), None


EVERY = range(len(COLUMNS))
WHOLE = range(1)

ALL = range(ROWS + 1)
ROWS_ONLY, SOME_ROWS = ALL[1:], ALL[1:29]
"""For what makes other names of the header's, which is then another header."""

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
"""What is done, to which records and columns. Record 0 is the header."""


def polluted_records(numbers: "count[int]") -> Iterator[Variant]:
    """Yield a file for every record and column that a polluter takes, and one for every record's line end."""
    for pollute, places, columns in IN_RECORDS:
        for place in places:
            for column in columns:
                yield _polluted(pollute, place, column, next(numbers))
    for place in ALL:
        yield other_line_end(place, next(numbers))


_CLEAN = [header(DIALECT), *(record(cells, DIALECT) for cells in table(0))]


def _records(number: int) -> list[Record]:
    """Return a file's records: written once, for thousands of files, and numbered by replacement."""
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
    """End one record with a line feed alone."""
    records = _records(number)
    records[place] = replace(records[place], text=records[place].text.removesuffix("\r\n") + "\n")
    return variant("other_line_end", f"other_line_end_{place}.csv", records)
