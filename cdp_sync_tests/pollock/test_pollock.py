"""No polluted file is silently wrong: every row lands right in all cells, or is accounted for by line and reason."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from cdp_sync_tests.pollock.judging import Judged, Verdict, judge, judge_all
from cdp_sync_tests.pollock.polluting import judge_in_parallel, some_variants, table_of, variants
from cdp_sync_tests.pollock.table import COLUMNS, table
from cdp_sync_tests.pollock.writing import Dialect, Record, Row, Variant, header, record, variant


def check(judged: list[Judged]) -> None:
    """Print the verdicts, and check that none is silently wrong."""
    print(table_of(judged))
    wrong = [(each.variant.name, each.why) for each in judged if each.verdict is Verdict.WRONG]
    assert not wrong


def test_some_polluted_files() -> None:
    """Some of all, of every kind."""
    check(list(judge_all(some_variants())))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_polluted_files() -> None:
    """All of them."""
    check(judge_in_parallel(variants()))


# What judges them


def small(*added: Record) -> Variant:
    """Return a file of three rows, and of what is added."""
    dialect = Dialect()
    return variant(
        "small", "small.csv", [header(dialect), *(record(each, dialect) for each in table(1, rows=3)), *added]
    )


def test_a_sound_file_is_right() -> None:
    """All rows landed."""
    assert [each.verdict for each in judge([small()])] == [Verdict.RIGHT]


def test_a_rejected_row_is_accounted_for() -> None:
    """It stands in quarantine by its line."""
    assert [each.verdict for each in judge([small(Record("too,few\r\n"))])] == [Verdict.ACCOUNTED]


def other_cell(row: Row) -> Row:
    """Return the row saying something else in its last column."""
    return replace(row, cells=(*(row.cells or ())[:-1], "other"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (lambda rows: (*rows[:-1], other_cell(rows[-1])), "line 4 with Remark=''"),
        (lambda rows: rows[:-1], "nobody is ('04.04.2019'"),
        (lambda rows: (*rows, Row(5, 5, table(2, rows=1)[0])), "the row of line 5 vanished"),
        (lambda rows: (*rows, Row(5, 5, None)), "the row of line 5 vanished"),
    ],
    ids=["a wrong cell", "an extra person", "a lost row", "a lost row that cannot be read"],
)
def test_what_is_silently_wrong_is_found(said: Callable[[tuple[Row, ...]], tuple[Row, ...]], why: str) -> None:
    """A file that says something else than what lands of it."""
    file = small()
    (judged,) = judge([replace(file, rows=tuple(said(file.rows)))])
    assert judged.verdict is Verdict.WRONG
    assert why in judged.why


# What they say


def plain_files() -> Iterator[Variant]:
    """Yield the files that Python's own parser can read as they are declared."""
    for each in variants():
        if each.kind in ("source", "separator", "quote", "several tables", "number of rows") and _is_plain(each):
            yield each


def _is_plain(file: Variant) -> bool:
    undeclared = "undeclared" in file.name or "unquoted" in file.name
    return not undeclared and len(file.form.get("separator", ",")) == 1 and file.form.get("quote") != ""


def test_the_files_say_what_they_should() -> None:
    """Python's own parser reads the same rows."""
    for file in plain_files():
        options = {"delimiter": file.form.get("separator", ","), "quotechar": file.form.get("quote", '"')}
        read = csv.reader(io.StringIO(file.content.decode(), newline=""), strict=True, **options)
        whole = [tuple(cells) for cells in read if len(cells) == len(COLUMNS) and tuple(cells) != COLUMNS]
        assert whole == [row.cells for row in file.rows if row.cells], file.name


def test_the_files_are_as_many_as_promised() -> None:
    """More than the benchmark's 2,290; no two have one name."""
    names = [(each.kind, each.name) for each in variants()]
    assert len(names) == len(set(names)) > 3000
