"""No polluted file is silently wrong: each row is imported correctly or accounted for by line and reason."""

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
    """Print the verdicts and check that none is `silently wrong`."""
    print(table_of(judged))
    wrong = [(each.variant.name, each.why) for each in judged if each.verdict is Verdict.WRONG]
    assert not wrong


def test_some_polluted_files() -> None:
    """A sample with each kind of pollution is imported or accounted for."""
    check(list(judge_all(some_variants())))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_polluted_files() -> None:
    """All polluted files are imported or accounted for."""
    check(judge_in_parallel(variants()))


# The verdicts


def small_file(*added: Record) -> Variant:
    """Return a file of three rows and these records."""
    dialect = Dialect()
    return variant(
        "small_file", "small_file.csv", [header(dialect), *(record(each, dialect) for each in table(1, rows=3)), *added]
    )


def test_a_clean_file_is_right() -> None:
    """A file without pollution has the verdict `right`."""
    assert [each.verdict for each in judge([small_file()])] == [Verdict.RIGHT]


def test_a_rejected_row_is_accounted_for() -> None:
    """A quarantined row has the verdict `accounted`."""
    assert [each.verdict for each in judge([small_file(Record("too,few\r\n"))])] == [Verdict.ACCOUNTED]


def other_cell(row: Row) -> Row:
    """Return the row with another text in its last column."""
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
def test_silently_wrong_rows_are_found(said: Callable[[tuple[Row, ...]], tuple[Row, ...]], why: str) -> None:
    """Wrong, additional and lost rows have the verdict `silently wrong`."""
    file = small_file()
    (judged,) = judge([replace(file, rows=tuple(said(file.rows)))])
    assert judged.verdict is Verdict.WRONG
    assert why in judged.why


# The files


def plain_files() -> Iterator[Variant]:
    """Yield the files that Python's csv module can read with their declaration."""
    for each in variants():
        if each.kind in ("source", "separator", "quote", "several tables", "number of rows") and _is_plain(each):
            yield each


def _is_plain(file: Variant) -> bool:
    undeclared = "undeclared" in file.name or "unquoted" in file.name
    return not undeclared and len(file.form.get("separator", ",")) == 1 and file.form.get("quote") != ""


def test_the_files_have_the_expected_rows() -> None:
    """Python's csv module reads the expected rows."""
    for file in plain_files():
        options = {"delimiter": file.form.get("separator", ","), "quotechar": file.form.get("quote", '"')}
        read = csv.reader(io.StringIO(file.content.decode(), newline=""), strict=True, **options)
        whole = [tuple(cells) for cells in read if len(cells) == len(COLUMNS) and tuple(cells) != COLUMNS]
        assert whole == [row.cells for row in file.rows if row.cells], file.name


def test_there_are_more_files_than_in_the_benchmark() -> None:
    """There are more files than the benchmark's 2,290, with different names."""
    names = [(each.kind, each.name) for each in variants()]
    assert len(names) == len(set(names)) > 3000
