"""The bytes of exported files, for each format option."""

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.exporting.exporter import Exporter, column, goal

SEEN = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)
ADA = {
    "email": "ada@example.com",
    "name": "Ada",
    "count": 7,
    "total": Decimal("1234.5"),
    "born": date(1815, 12, 10),
    "seen": SEEN,
    "keen": True,
    "likes": ["art", "books"],
    "marks": [1, -2],
}


def written(folder: Path, *people: dict[str, Any], **declared: Any) -> bytes:
    """Export these people and return the content of the file."""
    exporter = Exporter(folder, goal(**declared))
    exporter.hold(people)
    exporter.run()
    return exporter.delivered()


def cells(folder: Path, names: str, **form: Any) -> str:
    """Return Ada's row with these columns."""
    columns = [column(name) for name in names.split()]
    return written(folder, ADA, map=columns, format={"header": False, **form}).decode().rstrip("\n")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, "ada@example.com,7,1234.5000,1815-12-10,true"),
        ({"separator": ";", "decimal": ","}, "ada@example.com;7;1234,5000;1815-12-10;true"),
        ({"decimal": ","}, 'ada@example.com,7,"1234,5000",1815-12-10,true'),
        ({"separator": "\\t", "quote": "all"}, '"ada@example.com"\t"7"\t"1234.5000"\t"1815-12-10"\t"true"'),
        ({"separator": "||"}, "ada@example.com||7||1234.5000||1815-12-10||true"),
        ({"separator": "-"}, 'ada@example.com-7-1234.5000-"1815-12-10"-true'),
    ],
)
def test_values_of_each_type_are_written(form: dict[str, str], expected: str, tmp_path: Path) -> None:
    """Values of each type are written; a value that contains the separator is quoted."""
    assert cells(tmp_path, "email count total born keen", **form) == expected


@pytest.mark.parametrize(
    ("dates", "zone", "born", "seen"),
    [
        ("iso", "UTC", "1815-12-10", "2026-07-01T22:30:05+00:00"),
        ("iso", "Europe/Amsterdam", "1815-12-10", "2026-07-02T00:30:05+02:00"),
        ("%d.%m.%Y %H:%M:%S", "America/New_York", "10.12.1815 00:00:00", "01.07.2026 18:30:05"),
        ("epoch_seconds", "UTC", "-4861728000", "1782945005"),
        ("epoch_milliseconds", "UTC", "-4861728000000", "1782945005000"),
    ],
)
def test_dates(dates: str, zone: str, born: str, seen: str, tmp_path: Path) -> None:
    """Dates are written in the first declared format and the declared time zone."""
    form = {"dates": [dates, "%Y"], "time_zone": zone, "separator": ";"}
    assert cells(tmp_path, "born seen", **form) == f"{born};{seen}"


def test_list_values_are_joined(tmp_path: Path) -> None:
    """List values are joined by the declared separator."""
    assert cells(tmp_path, "likes marks", multi_value="|") == "art|books,1|-2"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("plain", "plain"),
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ("two\nlines", '"two\nlines"'),
        ("two\r\nlines", '"two\r\nlines"'),
        (" spaced ", '" spaced "'),
        ("=1+1", "=1+1"),
        ("", ""),
        (None, ""),
    ],
)
def test_values_are_quoted_where_needed(name: str | None, cell: str, tmp_path: Path) -> None:
    """Separators, quotes and line breaks are quoted as in RFC 4180; quotes are doubled."""
    assert written(tmp_path, {"email": "a@b.nl", "name": name}).decode() == f"Email,Name\na@b.nl,{cell}\n"


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\tx", "\rx"])
def test_the_formula_guard_prefixes_formulas(name: str, tmp_path: Path) -> None:
    """A value that a spreadsheet would evaluate gets an apostrophe as prefix."""
    content = written(tmp_path, {"email": "a@b.nl", "name": name}, format={"formula_guard": True, "quote": "all"})
    assert content.decode() == f'"Email","Name"\n"a@b.nl","\'{name}"\n'


@pytest.mark.parametrize("name", ["+31 6 1234-5678", "-12.50", "+1 (555) 010-0199", "-1,5", "+44 20 7946 0958 ext. 12"])
def test_the_formula_guard_keeps_numbers(name: str, tmp_path: Path) -> None:
    """The formula guard does not change numbers and telephone numbers."""
    person = {"email": "a@b.nl", "name": name, "count": -5, "total": Decimal(-3)}
    columns = [column("name"), column("count"), column("total")]
    content = written(tmp_path, person, map=columns, format={"formula_guard": True, "separator": ";"})
    assert content.decode() == f"name;count;total\n{name};-5;-3.0000\n"


def test_columns_of_each_kind_are_written(tmp_path: Path) -> None:
    """Columns hold profile ids, segments by name or title, and constant text."""
    columns = [
        {"field": "Id", "profile_id": True},
        {"field": "All", "segments": "all"},
        {"field": "Keen", "segments": ["keen"]},
        {"field": "Source", "text": "cdp"},
        column("email"),
    ]
    form = {"multi_value": "|", "header": False}
    identifier = "00000000-0000-0000-0000-000000000001"
    assert written(tmp_path / "1", ADA, map=columns, format=form).decode() == (
        f"{identifier},everybody|keen,keen,cdp,ada@example.com\n"
    )
    named = written(tmp_path / "2", ADA, map=columns, format=form | {"ids_as_names": True}).decode()
    assert named == f"{identifier},All of them|keen,keen,cdp,ada@example.com\n"


def test_utf_16_with_crlf_is_written(tmp_path: Path) -> None:
    """A UTF-16 file has a byte order mark and CRLF line breaks."""
    content = written(
        tmp_path, {"email": "a@b.nl", "name": "Zoë"}, format={"encoding": "utf-16", "row_delimiter": "windows"}
    )
    assert content[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert content.decode("utf-16") == "Email,Name\r\na@b.nl,Zoë\r\n"


def test_compressed_files_are_written(tmp_path: Path) -> None:
    """A gzip holds the file's bytes, a zip one member with the file's name."""
    expected = b"Email,Name\na@b.nl,A\n"
    person = {"email": "a@b.nl", "name": "A"}
    assert gzip.decompress(written(tmp_path / "gz", person, file={"compress": "gzip"})) == expected
    with zipfile.ZipFile(
        io.BytesIO(written(tmp_path / "zip", person, file={"name": "a.csv", "compress": "zip"}))
    ) as archive:
        assert archive.namelist() == ["a.csv"]
        assert archive.read("a.csv") == expected


@pytest.mark.parametrize(
    ("file", "separator", "name"),
    [
        ({}, ",", "everybody_20260131120000.csv"),
        ({}, "\\t", "everybody_20260131120000.tsv"),
        ({"compress": "gzip"}, ",", "everybody_20260131120000.csv.gz"),
        ({"name": "people.csv"}, ",", "people.csv"),
        ({"name": "people.csv", "timestamp": True}, ",", "people_20260131120000.csv"),
        ({"name": "people", "timestamp": True, "compress": "zip"}, ",", "people_20260131120000.zip"),
    ],
)
def test_files_are_named_as_declared(file: dict[str, Any], separator: str, name: str, tmp_path: Path) -> None:
    """The file is named after the segment and the UTC time of the run, or as declared."""
    exporter = Exporter(tmp_path, goal(file=file, format={"separator": separator}))
    exporter.hold([ADA])
    report = exporter.run()
    assert report.path == f"/outbox/{name}"
    assert [found.name for found in exporter.outbox.iterdir()] == [name]


def test_rows_are_sorted_by_creation(tmp_path: Path) -> None:
    """Rows are sorted by the time of creation."""
    people = [{"email": f"{number}@b.nl"} for number in range(300)]
    lines = written(tmp_path, *people).decode().splitlines()[1:]
    assert lines == [f"{number}@b.nl," for number in range(300)]
