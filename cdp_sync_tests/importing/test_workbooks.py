"""Excel workbooks are read like delimited text: the first sheet, every row accounted for by its number in the sheet."""

import gzip
import io
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp_sync.importing.preview import preview
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import Format
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync_tests.importing.workbooks import ERROR, text_of, xls, xlsx
from cdp_sync_tests.trail.importer import PROFILES, Importer, check_adds_up, goal

LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"])
CELLS = st.one_of(
    st.text(LETTERS, max_size=12),
    st.sampled_from(["007", "+55 11", "1,5", "a\nb", "null", ""]),
    st.integers(-(10**15), 10**15),
    st.decimals(-1000, 1000, places=3).map(float),
    st.booleans(),
    st.dates(date(1950, 1, 1), date(2100, 1, 1)),
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(lambda it: it.replace(microsecond=0)),  # noqa: DTZ001
    st.just(ERROR),
    st.none(),
)
HEADER = ["Email", "Name", "Amount"]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session that all examples share."""
    with Warehouse(tmp_path_factory.mktemp("sheets") / "warehouse.duckdb").open("none") as opened:
        yield opened


def read(session: Session, content: bytes, folder: Path, **form: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a workbook's sheet, each with its number."""
    local = folder / "sheet"
    local.write_bytes(content)
    made = goal(format=form, map=[{"field": "Name", "property": "first_name"}])
    part = READERS["csv"].normalize(session, Part("/f", local), made, None, ())
    if part is None:
        return []
    return [(n + part.head.lines, *cells) for n, *cells in session.rows("from record order by n")]


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6), kind=st.sampled_from(["1900", "1904", "xls"])
)
def test_cells_are_read_as_by_plain_python(
    rows: list[list[Any]], kind: str, session: Session, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Text, numbers, truth values, dates of both date systems and errors: the same cells from old and new workbooks."""
    folder = tmp_path_factory.mktemp("sheet")
    if kind == "xls":  # Excel cuts what xlwt would write as integers of 30 bits
        rows = [[float(cell) if type(cell) is int else cell for cell in row] for row in rows]
        content, form = xls([HEADER, *rows]), {"type": "xls"}
    else:
        content, form = xlsx([HEADER, *rows], date_1904=kind == "1904"), {"type": "xlsx"}
    texts = [[text_of(cell) for cell in row] for row in rows]
    expected = [(n, *row) for n, row in enumerate(texts, 2) if any(cell and cell.strip(" ") for cell in row)]
    assert read(session, content, folder, **form) == expected


def test_many_rows_are_read_in_chunks(session: Session, tmp_path: Path) -> None:
    """Rows of a column that change their kind between two chunks stay in order."""
    rows = [[f"{n}@x.nl", "" if n % 2 else n, f"{n:06}" if n > 20_000 else n] for n in range(45_000)]
    found = read(session, xlsx([HEADER, *rows]), tmp_path, type="xlsx")
    assert found == [(n, *map(text_of, row)) for n, row in enumerate(rows, 2)]


def test_a_workbook_is_imported_with_its_row_numbers(tmp_path: Path) -> None:
    """Rows land like those of CSV; what cannot land is in the quarantine by its row in the sheet."""
    columns = {"Name": "first_name", "Number": "customer_id", "Amount": "order_total", "Born": "birthday",
               "Seen": "last_seen"}  # fmt: skip
    mapped = goal(
        format={"type": "xlsx", "decimal": ",", "dates": ["%d.%m.%Y"], "time_zone": "Europe/Amsterdam"},
        map=[{"field": field, "property": name} for field, name in columns.items()],
    )
    importer = Importer(tmp_path, mapped)
    rows = [
        ["Email", *columns],
        ["a@x.nl", "Ada", "0042", 12.5, date(1990, 1, 31), datetime(2024, 7, 1, 12, 0)],  # noqa: DTZ001
        [],
        ["b@x.nl", "Bob", 43, "1,25", "31.01.1991", ERROR],
        ["", "Nobody", 44, 1, "", ""],
        ["c@x.nl", "Cem", 45, "many", "", ""],
    ]
    report = importer.deliver({"/inbox/people.xlsx": xlsx(rows, top=2)})
    assert report.files[0].warnings == ("Rows without a value: 1. They are no rows.",)
    counters = report.counters
    assert (counters.rows_read, counters.rows_applied, counters.rows_without_identifier) == (4, 3, 1)
    check_adds_up(report)
    assert importer.column("customer_id") == {"a@x.nl": "0042", "b@x.nl": "43", "c@x.nl": "45"}
    assert importer.column("order_total")["a@x.nl"] == Decimal("12.5")
    assert importer.column("order_total")["b@x.nl"] == Decimal("1.25")
    assert importer.column("birthday") == {"a@x.nl": date(1990, 1, 31), "b@x.nl": date(1991, 1, 31), "c@x.nl": None}
    assert importer.column("last_seen")["a@x.nl"] == datetime(2024, 7, 1, 10, tzinfo=UTC)
    lines = [(path, line, field) for path, line, field, *_ in importer.quarantine()]
    assert lines == [("/inbox/people.xlsx", 7, "Email"), ("/inbox/people.xlsx", 8, "Amount")]


def test_a_workbook_delivered_again_applies_what_differs(tmp_path: Path) -> None:
    """A row is compared with the previous import of its workbook."""
    importer = Importer(tmp_path, goal(format={"type": "xlsx"}))
    rows = [["Email", "Name"], *([f"{n}@x.nl", f"N{n}"] for n in range(50))]
    importer.deliver({"/inbox/a.xlsx": xlsx(rows)})
    rows[7][1] = "Changed"
    counters = importer.deliver({"/inbox/a.xlsx": xlsx(rows)}).counters
    assert (counters.rows_applied, counters.rows_unchanged, counters.profiles_updated) == (1, 49, 1)


def zipped(**members: bytes) -> bytes:
    """Return a zip archive of members, whose names have an underscore in place of the dot."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return target.getvalue()


@pytest.mark.parametrize("packed", ["zip", "gzip"])
def test_a_packed_workbook_is_unpacked(packed: str, tmp_path: Path) -> None:
    """A workbook may come in a zip archive beside other files, or packed by gzip."""
    book = xlsx([["Email", "Name"], ["a@x.nl", "Ada"]])
    content = zipped(readme_txt=b"hello", people_xlsx=book) if packed == "zip" else gzip.compress(book)
    importer = Importer(tmp_path, goal(format={"type": "xlsx"}))
    importer.deliver({"/inbox/people.zip": content})
    assert importer.column("first_name") == {"a@x.nl": "Ada"}


BOOK = xlsx([["Email", "Name"], ["a@x.nl", "Ada"]])


@pytest.mark.parametrize(
    ("content", "form", "words"),
    [
        (b"Email,Name\na@x.nl,Ada\n", "xlsx", "Declare `format: {type: csv}`|or declare `format: {type: csv}`"),
        (b"<html><table></table></html>", "xls", "The file is an HTML page, and no Excel workbook"),
        (xls([["Email"], ["a@x.nl"]]), "xlsx", "an old one (.xls). Declare `format: {type: xls}`"),
        (BOOK, "xls", "an Excel workbook (.xlsx). Declare `format: {type: xlsx}`"),
        (BOOK, "csv", "`format: {type: xlsx}`, which reads the first sheet"),
        (xls([["Email"]]), "csv", "`format: {type: xls}`, which reads the first sheet"),
        (xls([["Email"]])[:600], "xls", "The workbook cannot be read"),
        (zipped(readme_txt=b"hello"), "xlsx", "no Excel workbook"),
        (xlsx([["a@x.nl", "Ada"], ["b@x.nl", "Bob"]]), "xlsx", "nothing in it is declared"),
        (xlsx([["Email", "Name", "Name"], ["a@x.nl", "Ada", "B"]]), "xlsx", "names 'Name' more than once"),
    ],
)
def test_a_file_that_is_no_such_workbook_fails(content: bytes, form: str, words: str, tmp_path: Path) -> None:
    """The error says what the file is, and what to declare or to have delivered; nothing of it lands."""
    importer = Importer(tmp_path, goal(format={"type": form}))
    [file] = importer.deliver({"/inbox/people": content}).files
    assert file.state == "failed"
    assert any(each in file.message for each in words.split("|")), file.message
    assert importer.column("first_name") == {}


def test_a_protected_workbook_says_so(tmp_path: Path) -> None:
    """A workbook that needs a password is refused as such."""
    content = Path(__file__).with_name("samples").joinpath("protected.xlsx").read_bytes()
    importer = Importer(tmp_path, goal(format={"type": "xlsx"}))
    [file] = importer.deliver({"/inbox/people.xlsx": content}).files
    assert "protected by a password" in file.message


def test_a_large_workbook_is_refused_unless_declared(tmp_path: Path) -> None:
    """The limit is 20 MB, and can be declared; the rest of the sheet does not matter to it."""
    assert Format(type="xlsx").max_megabytes == 20
    noise = bytes(range(256)) * 8000
    book = io.BytesIO(BOOK)
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr("xl/media/image.bin", noise)
    [small, large] = [Importer(tmp_path / str(most), goal(format={"type": "xlsx", "max_megabytes": most}))
                      for most in (1, 3)]  # fmt: skip
    [file] = small.deliver({"/inbox/a.xlsx": book.getvalue()}).files
    assert "At most 1 MB are allowed" in file.message
    assert "`max_megabytes: 3`" in file.message
    assert large.deliver({"/inbox/a.xlsx": book.getvalue()}).counters.rows_applied == 1


def test_a_sheet_that_reaches_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One stray cell after the data makes a sheet large; it is refused before its cells are read."""
    monkeypatch.setattr("cdp_sync.importing.reading.excel._MOST_CELLS", 50)
    rows: list[list[Any]] = [["Email", "Name"], ["a@x.nl", "Ada"], *([[]] * 5), [None] * 9 + ["x"]]
    [file] = Importer(tmp_path, goal(format={"type": "xlsx"})).deliver({"/inbox/a.xlsx": xlsx(rows)}).files
    assert "The sheet reaches to the cell J8: 80 cells" in file.message


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the archive declares is compared with the allowance before anything is unpacked: damage is not found."""
    book = io.BytesIO(xlsx([["Email", "Name"], *([f"{n}@x.nl", "Ada"] for n in range(2_000))]))
    with zipfile.ZipFile(book) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        sheet = archive.getinfo("xl/worksheets/sheet1.xml")
    content = bytearray(book.getvalue())
    middle = sheet.header_offset + sheet.compress_size // 2
    content[middle : middle + 100] = bytes(100)
    states = []
    for allowed in (unpacked, unpacked - 1):
        monkeypatch.setattr("cdp_sync.importing.sources.archives.FREE_ALLOWANCE", allowed)
        monkeypatch.setattr("cdp_sync.importing.sources.archives.RATIO_ALLOWANCE", 1)
        importer = Importer(tmp_path / str(allowed), goal(format={"type": "xlsx"}))
        [file] = importer.deliver({"/inbox/a.xlsx": bytes(content)}).files
        states.append(file.message)
    assert "The workbook cannot be read" in states[0]
    assert f"The workbook unpacks to {unpacked:,} bytes" in states[1]
    assert f"At most {unpacked - 1:,} bytes are allowed" in states[1]


def test_a_workbook_that_unpacks_to_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    """The size that a workbook's archive declares is a limit: no more than that is unpacked."""
    book = xlsx([["Email", "Name"], *([f"{n}@x.nl", "Ada"] for n in range(200))])
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        sheet = archive.getinfo("xl/worksheets/sheet1.xml")
    sizes = struct.pack("<II", sheet.compress_size, sheet.file_size)
    assert book.count(sizes) == 2  # before the member, and in the directory
    content = book.replace(sizes, struct.pack("<II", sheet.compress_size, 1_000))
    importer = Importer(tmp_path, goal(format={"type": "xlsx"}))
    [file] = importer.deliver({"/inbox/a.xlsx": content}).files
    assert file.state == "failed"
    assert "The workbook cannot be read" in file.message
    assert importer.column("first_name") == {}


def test_an_empty_sheet_is_an_empty_file(tmp_path: Path) -> None:
    """A first sheet without a cell imports nothing, and says so."""
    [file] = Importer(tmp_path, goal(format={"type": "xlsx"})).deliver({"/inbox/a.xlsx": xlsx([])}).files
    assert (file.state, file.warnings) == ("imported", ("The file is empty.",))


def test_columns_without_a_header_are_numbered(session: Session, tmp_path: Path) -> None:
    """With `header: false` the first row is a row; skipped rows keep their numbers."""
    content = xlsx([["Report of May"], ["a@x.nl", "Ada"], ["b@x.nl", 7]])
    local = tmp_path / "sheet"
    local.write_bytes(content)
    made = goal(
        format={"type": "xlsx", "header": False, "skip_rows": 1},
        link=[{"field": "column1", "property": "email"}],
        map=[{"field": "column2", "property": "first_name"}],
    )
    part = READERS["csv"].normalize(session, Part("/f", local), made, None, ())
    assert part is not None
    assert part.head.columns == ("column1", "column2")
    rows = session.rows("from record order by n")
    assert [(n + part.head.lines, *cells) for n, *cells in rows] == [(2, "a@x.nl", "Ada"), (3, "b@x.nl", "7")]


def test_settings_of_text_are_refused_for_a_workbook() -> None:
    """A separator or an encoding means nothing in a workbook."""
    with pytest.raises(ValidationError, match="separator: a workbook has none"):
        Format(type="xlsx", separator=";")


def test_a_preview_reads_a_whole_workbook(tmp_path: Path) -> None:
    """`scan` shows the fields of a workbook that it has whole, and says so where it has the beginning only."""
    made, warehouse = goal(format={"type": "xlsx"}), Warehouse(tmp_path / "warehouse.duckdb")
    shown = preview("/inbox/a.xlsx", BOOK, made, PROFILES, warehouse, whole=True)
    assert (shown.fields, shown.refused) == (("Email", "Name"), False)
    begun = preview("/inbox/a.xlsx", BOOK[:1000], made, PROFILES, warehouse)
    assert "only be read as a whole" in begun.message
    assert begun.refused is None
