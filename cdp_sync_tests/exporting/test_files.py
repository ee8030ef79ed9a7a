"""What stands in an exported file, byte by byte, for each way of writing it."""

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
    """Export these people and return the file."""
    exporter = Exporter(folder, goal(**declared))
    exporter.hold(people)
    exporter.run()
    return exporter.delivered()


def cells(folder: Path, names: str, **form: Any) -> str:
    """Return Ada's row in these columns."""
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
def test_values_of_all_kinds(form: dict[str, str], expected: str, tmp_path: Path) -> None:
    """Numbers, decimals, dates and truth are written plainly; quoted where the separator would split them."""
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
    """The first declared form is written, in the declared time zone."""
    form = {"dates": [dates, "%Y"], "time_zone": zone, "separator": ";"}
    assert cells(tmp_path, "born seen", **form) == f"{born};{seen}"


def test_several_values(tmp_path: Path) -> None:
    """Lists are joined by the declared separator."""
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
def test_quotes_stand_where_they_are_needed(name: str | None, cell: str, tmp_path: Path) -> None:
    """RFC 4180: quotes around separators, quotes and line breaks; doubled inside."""
    assert written(tmp_path, {"email": "a@b.nl", "name": name}).decode() == f"Email,Name\na@b.nl,{cell}\n"


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\tx", "\rx"])
def test_the_formula_guard_disarms_formulas(name: str, tmp_path: Path) -> None:
    """An apostrophe stands in front of what a spreadsheet would run."""
    content = written(tmp_path, {"email": "a@b.nl", "name": name}, format={"formula_guard": True, "quote": "all"})
    assert content.decode() == f'"Email","Name"\n"a@b.nl","\'{name}"\n'


@pytest.mark.parametrize("name", ["+31 6 1234-5678", "-12.50", "+1 (555) 010-0199", "-1,5", "+44 20 7946 0958 ext. 12"])
def test_the_formula_guard_leaves_numbers_alone(name: str, tmp_path: Path) -> None:
    """Numbers and telephone numbers stay as they are, also in text; so do values of numeric properties."""
    person = {"email": "a@b.nl", "name": name, "count": -5, "total": Decimal(-3)}
    columns = [column("name"), column("count"), column("total")]
    content = written(tmp_path, person, map=columns, format={"formula_guard": True, "separator": ";"})
    assert content.decode() == f"name;count;total\n{name};-5;-3.0000\n"


def test_columns_of_every_kind(tmp_path: Path) -> None:
    """Identifier, segments by name or title, and text that is the same for everybody."""
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


def test_rows_of_windows_in_utf_16(tmp_path: Path) -> None:
    """A byte order mark, two bytes a sign, rows that end in a return and a line feed."""
    content = written(
        tmp_path, {"email": "a@b.nl", "name": "Zoë"}, format={"encoding": "utf-16", "row_delimiter": "windows"}
    )
    assert content[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert content.decode("utf-16") == "Email,Name\r\na@b.nl,Zoë\r\n"


def test_packed_files(tmp_path: Path) -> None:
    """A gzip holds the file itself, zip a member of its name."""
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
def test_names_of_files(file: dict[str, Any], separator: str, name: str, tmp_path: Path) -> None:
    """The segment and the time of the run in UTC, or the declared name; the time after it where that is declared."""
    exporter = Exporter(tmp_path, goal(file=file, format={"separator": separator}))
    exporter.hold([ADA])
    report = exporter.run()
    assert report.path == f"/outbox/{name}"
    assert [found.name for found in exporter.outbox.iterdir()] == [name]


def test_rows_stand_in_the_order_of_creation(tmp_path: Path) -> None:
    """The oldest profile first, whatever the warehouse's own order."""
    people = [{"email": f"{number}@b.nl"} for number in range(300)]
    lines = written(tmp_path, *people).decode().splitlines()[1:]
    assert lines == [f"{number}@b.nl," for number in range(300)]
