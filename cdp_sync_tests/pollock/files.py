"""Pollution of whole files: around the rows, in the columns, or several tables in one file."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from cdp_sync_tests.pollock.table import COLUMNS, Cells, table
from cdp_sync_tests.pollock.writing import Dialect, Record, Variant, header, line, record, variant

DIALECT = Dialect()

EMPTY = "," * (len(COLUMNS) - 1)
"""A record of empty cells."""


def rows(number: int, dialect: Dialect = DIALECT, **options: object) -> list[Record]:
    """Return the rows of a file's table."""
    return [record(cells, dialect) for cells in table(number, **options)]  # type: ignore[arg-type]


def whole(number: int, dialect: Dialect = DIALECT, **options: object) -> list[Record]:
    """Return the header and rows of a file's table."""
    return [header(dialect), *rows(number, dialect, **options)]


def payloads(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files without rows, with few or many rows, with blank lines, or with an unusual end."""
    number = next(numbers)
    yield variant("source", "source.csv", whole(number))
    yield variant("no payload", "empty.csv", [])
    yield variant("no payload", "blank_lines.csv", [line("", DIALECT)] * 3)
    yield variant("header only", "header.csv", [header(DIALECT)])
    yield variant("header only", "header_open.csv", [_without_end(header(DIALECT))])
    for size in (1, 2, 3000):
        yield variant("number of rows", f"rows_{size}.csv", whole(next(numbers), rows=size))
    *most, last = whole(next(numbers))
    yield variant("trailing newline", "no_trailing_newline.csv", [*most, _without_end(last)])
    yield variant("trailing newline", "double_trailing_newline.csv", [*whole(next(numbers)), line("", DIALECT)])
    blanks = [part for each in whole(next(numbers)) for part in (each, line("", DIALECT))]
    yield variant("blank lines", "blank_lines_between.csv", blanks)
    yield variant("blank lines", "blank_lines_before.csv", [line("", DIALECT), *whole(next(numbers))])
    yield variant("end of file mark", "control_z.csv", [*whole(next(numbers)), Record("\x1a", is_row=False)])
    yield variant("end of file mark", "control_z_line.csv", [*whole(next(numbers)), line("\x1a", DIALECT)])


def _without_end(part: Record) -> Record:
    return replace(part, text=part.text.removesuffix(DIALECT.line_end))


def headers(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with no header, several headers, or other column names."""
    yield variant("no header", "no_header.csv", rows(next(numbers)), {"header": False})
    yield variant("no header", "no_header_undeclared.csv", rows(next(numbers)))
    for times in (2, 3):
        again = [replace(header(DIALECT), cells=None, is_row=True)] * (times - 1)
        yield variant("several headers", f"headers_{times}.csv", [header(DIALECT), *again, *rows(next(numbers))])
    above = line("When,,What,,,,,Where,", DIALECT)
    yield variant("several headers", "groups_above.csv", [above, *whole(next(numbers))], {"skip_rows": 1})
    for name, column in (
        ("empty", ""),
        ("long", "Remark" * 50),
        ("signs", "Remark (%&/) #1"),
        ("repeated", "Remark 2"),
    ):
        more = [(*COLUMNS, column), *((*cells, "more") for cells in table(next(numbers)))]
        yield _with_more_columns(f"name_{name}.csv", more)
    twice = [(*COLUMNS, "Link"), *((*cells, "https://example.com") for cells in table(next(numbers)))]
    yield _with_more_columns("name_twice.csv", twice)
    quoted = header(Dialect(quoting="all"))
    yield variant("column names", "all_quoted.csv", [quoted, *rows(next(numbers))])
    yield variant("column names", "blanks_around.csv", [_blanks_around(), *rows(next(numbers))])


def _with_more_columns(name: str, records: list[Cells]) -> Variant:
    first, *others = (record(cells, DIALECT) for cells in records)
    expected = [replace(each, cells=(each.cells or ())[: len(COLUMNS)]) for each in others]
    return variant("column names", name, [replace(first, is_row=False), *expected])


def _blanks_around() -> Record:
    return line(", ".join(f'"{name}"' if name == "Link" else name for name in COLUMNS), DIALECT)


def preambles(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with text before the header, declared or not."""
    texts = {
        "one_cell": "Sales of the garden shop",
        "cells": f"Sales of the garden shop{EMPTY}",
        "quote": 'The "garden shop',
    }
    for name, text in texts.items():
        for lines in (1, 3):
            for blank, empty in (("", []), ("_blank", [""]), ("_empty_cells", [EMPTY])):
                before = [line(each, DIALECT) for each in [text] * lines + empty]
                declared = {"skip_rows": len(before)}
                yield variant("preamble", f"{name}_{lines}{blank}.csv", [*before, *whole(next(numbers))], declared)
        yield variant("preamble", f"{name}_undeclared.csv", [line(text, DIALECT), *whole(next(numbers))])


def footnotes(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with text after the rows: declared as a comment or a trailer, or not declared."""
    for name, text in {"one_cell": "End of list", "cells": f"End of list{EMPTY}"}.items():
        for lines in (1, 3):
            for blank, empty in (("", []), ("_blank", [""]), ("_empty_cells", [EMPTY])):
                after = [line(each, DIALECT, is_row=bool(each)) for each in empty + [text] * lines]
                yield variant("footnote", f"{name}_{lines}{blank}.csv", [*whole(next(numbers)), *after])
    commented = [line("# Sales", DIALECT), *whole(next(numbers)), line('# the "end, of it', DIALECT)]
    yield variant("footnote", "comments.csv", commented, {"comment": "#"})
    for name, total, counts in (("counted", "83", True), ("counted_wrongly", "84", True), ("uncounted", "84", False)):
        ended = [*whole(next(numbers)), line(f"TRL,{total}", DIALECT)]
        if name == "counted_wrongly":
            ended = [replace(each, cells=None) for each in ended]
        trailer = {"begins_with": "TRL,"} | ({"count_field": 2} if counts else {})
        yield variant("footnote", f"trailer_{name}.csv", ended, {"trailer": trailer})


def several_tables(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with a second table of the same, a smaller or a larger width, after a blank line or not."""
    for name, resize in RESIZED.items():
        for blank, between in (("", []), ("_apart", [line("", DIALECT)])):
            first, second = whole(next(numbers)), table(next(numbers))
            above = replace(record(resize(COLUMNS), DIALECT), cells=None)
            added = [_resized(cells, resize) for cells in second]
            yield variant("several tables", f"{name}{blank}.csv", [*first, *between, above, *added])


RESIZED: dict[str, Callable[[Cells], Cells]] = {
    "same": lambda cells: cells,
    "narrower": lambda cells: cells[:-1],
    "wider": lambda cells: (*cells, "more"),
}


def _resized(cells: Cells, resize: Callable[[Cells], Cells]) -> Record:
    """Return a row whose cells count only if it has the table's width."""
    resized = record(resize(cells), DIALECT)
    return resized if len(resize(cells)) == len(COLUMNS) else replace(resized, cells=None)


def columns(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with more or fewer columns, or with a separator at the end of lines."""
    for more in (1, 20, 200):
        wider = [(*COLUMNS, *(f"col{each}" for each in range(more)))]
        wider += [(*cells, *("x",) * more) for cells in table(next(numbers))]
        yield replace(_with_more_columns(f"columns_{more}_more.csv", wider), kind="number of columns")
    narrower = [record(cells[:-1], DIALECT) for cells in (COLUMNS, *table(next(numbers)))]
    expected = [replace(each, cells=(*(each.cells or ()), "")) for each in narrower[1:]]
    yield variant("number of columns", "one_less.csv", [replace(narrower[0], is_row=False), *expected])
    for remark in ("", "none"):
        for name, chosen in TRAILING.items():
            records = [
                _trailing(each) if chosen(at) else each for at, each in enumerate(whole(next(numbers), remark=remark))
            ]
            yield variant("trailing separator", f"{name}{'_remarks' * bool(remark)}.csv", records)


TRAILING: dict[str, Callable[[int], bool]] = {
    "every_line": lambda _: True,
    "every_row": lambda place: place > 0,
    "header": lambda place: place == 0,
    "every_other_row": lambda place: place % 2 == 1,
    "first_row": lambda place: place == 1,
}


def _trailing(part: Record) -> Record:
    return replace(part, text=part.text.removesuffix(DIALECT.line_end) + "," + DIALECT.line_end)


FILES = (payloads, headers, preambles, footnotes, several_tables, columns)
