"""Pollution of whole files: separators, quotes, escapes, line ends and encodings."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, cycle
from typing import Any

from cdp_sync_tests.pollock.files import DIALECT, whole
from cdp_sync_tests.pollock.table import COLUMNS, Cells, table
from cdp_sync_tests.pollock.writing import Dialect, Record, Variant, header, line, record, variant

SEPARATORS = {
    "semicolon": ";", "tab": "\t", "blank": " ", "comma_blank": ", ", "bar": "|", "colon": ":", "two_bars": "||",
    "tilde": "~", "caret": "^", "paragraph": "§", "start_of_heading": "\x01", "unit": "\x1f",
}  # fmt: skip


def separators(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with other separators: quoted where needed, not quoted, or not declared."""
    for name, separator in SEPARATORS.items():
        declared = {"separator": separator}
        yield variant("separator", f"{name}.csv", whole(next(numbers), Dialect(separator=separator)), declared)
        if separator != ", ":  # undeclared, blanks before quotes have no right reading
            undeclared = whole(next(numbers), Dialect(separator=separator))
            yield variant("separator", f"{name}_undeclared.csv", undeclared)
        if separator in (" ", ", ", ":"):
            yield variant(
                "separator", f"{name}_unquoted.csv", _with_exchanged_separator(separator, next(numbers)), declared
            )
    for name, said in (("fits", ";"), ("differs", ",")):
        records = [line(f"sep={said}", DIALECT), *whole(next(numbers), Dialect(separator=";"))]
        yield variant("separator line", f"sep_{name}.csv", records, {"separator": ";"})


def _with_exchanged_separator(separator: str, number: int) -> list[Record]:
    """Return records with an exchanged separator. A row with an unquoted cell that contains it has no right reading.

    The last cells are not empty, as an extra field in each row would be read as a separator at its end.
    """
    records = []
    for cells in (COLUMNS, *table(number, remark="none")):
        tokens = DIALECT.tokens(cells)
        split = any(separator in token and not token.startswith('"') for token in tokens[::2])
        text = separator.join(tokens[::2]) + DIALECT.line_end
        records.append(Record(text, None if split else cells))
    return [replace(records[0], is_row=False), *records[1:]]


def quotes(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with other quotes, with quotes everywhere or nowhere, or with other escapes."""
    for name, quote in (("apostrophe", "'"), ("bar", "|"), ("tilde", "~")):
        yield variant(
            "quote", f"{name}.csv", whole(next(numbers), Dialect(quote=quote, escape=quote)), {"quote": quote}
        )
    yield variant("quote", "all_quoted.csv", whole(next(numbers), Dialect(quoting="all")))
    apart = Dialect(separator="\t", quoting="none", escape="")
    plain = [record(tuple(cell.replace("\n", " ") for cell in cells), apart) for cells in table(next(numbers))]
    yield variant("quote", "none.tsv", [header(apart), *plain], {"separator": "\t", "quote": ""})
    lines = [tuple(cell.replace("\n", " ") for cell in cells) for cells in table(next(numbers))]
    undeclared = [_literal(cells, Dialect(quote="'", escape="'")) for cells in lines]
    yield variant("quote", "apostrophe_undeclared.csv", [header(DIALECT), *undeclared])
    yield from _escapes(numbers)


def _literal(cells: Cells, dialect: Dialect) -> Record:
    """Return a record whose quotes are text. If a cell contains a separator, no reading is right."""
    written = dialect.tokens(cells)[::2]
    split = any("," in token for token in written)
    return replace(record(cells, dialect), cells=None if split else written)


def _escapes(numbers: "count[int]") -> Iterator[Variant]:
    backslash: dict[str, Any] = {"escape": "\\"}
    remark = "C:\\new\\table"
    escaped = whole(next(numbers), Dialect(escape="\\"), remark=remark)
    yield variant("escape", "backslash.csv", escaped, backslash)
    every = whole(next(numbers), Dialect(escape="\\", quoting="all"), remark=remark)
    yield variant("escape", "backslash_all_quoted.csv", every, backslash)
    bare = whole(next(numbers), Dialect(escape="\\", quoting="none", line_end="\n"), remark=remark)
    yield variant("escape", "backslash_no_quotes.csv", bare, {**backslash, "quote": ""})
    undeclared = whole(next(numbers), Dialect(escape="\\"))
    yield variant("escape", "backslash_undeclared.csv", undeclared)
    yield variant("escape", "none.csv", whole(next(numbers), Dialect(escape="")))


def line_ends(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with other line ends between rows and inside cells."""
    for name, end in (("line_feed", "\n"), ("return", "\r"), ("both", "\r\n")):
        for inside, inner in (("line_feed", "\n"), ("return", "\r"), ("both", "\r\n")):
            dialect = Dialect(line_end=end)
            cells = [tuple(cell.replace("\n", inner) for cell in each) for each in table(next(numbers))]
            records = [header(dialect), *(record(each, dialect) for each in cells)]
            yield variant("line end", f"{name}_with_{inside}_inside.csv", records)
    mixed = zip(whole(next(numbers)), cycle(("\r\n", "\n", "\r")), strict=False)
    yield variant("line end", "in_turn.csv", [replace(each, text=each.text[:-2] + end) for each, end in mixed])


def long_records(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files with cells that are long or have many lines."""
    for lines, declared in ((90, {}), (150, {}), (150, {"max_record_lines": 200})):
        cells = table(next(numbers))
        cells[40] = (*cells[40][:-1], "\n".join(["x"] * lines))
        records = [header(DIALECT), *(record(each, DIALECT) for each in cells)]
        yield variant("long record", f"lines_{lines}{'_declared' * bool(declared)}.csv", records, declared)
    cells = table(next(numbers))
    cells[40] = (*cells[40][:-1], "long " * 20_000)
    yield variant("long record", "cell.csv", [header(DIALECT), *(record(each, DIALECT) for each in cells)])


ENCODINGS = {
    "utf-8": "Żółć, 東京, 😀", "utf-16": "Żółć, 東京, 😀", "utf-16-le": "Żółć, 東京", "utf-16-be": "Żółć, 東京",
    "latin-1": "café", "windows-1252": "café “quoted”", "iso-8859-15": "café šž", "iso-8859-7": "Αθήνα",
    "cp1250": "Żółć", "cp1251": "Москва", "koi8-r": "Москва", "cp437": "café", "mac-roman": "café",
    "shift_jis": "東京", "gb18030": "北京", "big5": "臺北", "euc-kr": "서울",
}  # fmt: skip
"""A text for each encoding."""


def encodings(numbers: "count[int]") -> Iterator[Variant]:
    """Yield files in other encodings, declared or not."""
    for name, remark in ENCODINGS.items():
        cells = [_without_euro(each) for each in table(next(numbers), remark=remark)]
        records = [header(DIALECT), *(record(each, DIALECT) for each in cells)]
        yield variant("encoding", f"{name}.csv", records, {"encoding": name}, encoding=name)
        garbled = [replace(each, cells=None) for each in records] if name != "utf-8" else records
        undeclared = [replace(garbled[0], is_row=False), *garbled[1:]]
        yield variant("encoding", f"{name}_undeclared.csv", undeclared, encoding=name)
    yield variant("encoding", "utf_8_mark.csv", whole(next(numbers)), encoding="utf-8-sig")


def _without_euro(cells: Cells) -> Cells:
    return tuple(cell.replace("€", "") for cell in cells)


DIALECTS = (separators, quotes, line_ends, long_records, encodings)
