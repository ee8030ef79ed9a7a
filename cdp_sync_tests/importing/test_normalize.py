"""Files are brought to UTF-8, and regular parts are distinguished from those that are read line by line."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading import normalize as normalizing
from cdp_sync.importing.reading import survey
from cdp_sync.importing.reading.normalize import NormalizedPart, normalize
from cdp_sync.importing.reading.survey import survey_body
from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import FileGoal, Format


def landed(content: bytes, tmp_path: Path, **form: Any) -> NormalizedPart | None:
    """Normalize a file with the columns Email and Name."""
    goal = FileGoal.model_validate(
        {"name": "a", "link": [{"field": "Email", "property": "email"}], "format": form}
        | ({"link": [{"field": "column1", "property": "email"}]} if form.get("header") is False else {})
    )
    local = tmp_path / "0"
    local.write_bytes(content)
    return normalize(Part("/in/a.csv", local), goal)


def body(found: NormalizedPart | None) -> bytes:
    """Return the bytes of the rows, without the header."""
    assert found is not None
    return found.local.read_bytes()[found.start :]


def test_a_normalized_file_is_not_copied(tmp_path: Path) -> None:
    """A UTF-8 file with one kind of line break and the header first is parsed without a copy."""
    found = landed(b"Email,Name\na,b\n", tmp_path)
    assert found is not None
    assert (found.local, found.start, found.skip, found.survey.lines) == (tmp_path / "0", 11, 1, 1)
    assert (found.survey.regular, found.survey.nuls, found.body_line, found.warnings) == (True, False, 2, ())
    assert list(tmp_path.iterdir()) == [tmp_path / "0"]


def test_an_empty_file_is_none(tmp_path: Path) -> None:
    """An empty file is neither normalized nor refused."""
    assert landed(b"", tmp_path) is None


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("latin-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-8", "utf-8"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("iso-8859-15", "iso-8859-15"),
        ("cp1250", "cp1250"),
        ("mac-roman", "mac-roman"),
        ("utf-32", "utf-32"),
        ("cp037", "cp037"),
        ("utf-7", "utf-7"),
    ],
)
def test_every_encoding_becomes_utf_8(encoding: str, codec: str, tmp_path: Path) -> None:
    """A file in any declared encoding becomes UTF-8."""
    found = landed("Email,Name\nä@x.nl,Zoë\n".encode(codec), tmp_path, encoding=encoding)
    assert body(found) == "ä@x.nl,Zoë\n".encode()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_by_its_byte_order_mark(codec: str, tmp_path: Path) -> None:
    """UTF-16 is read by its byte order mark, whether or not the goal declares the order."""
    content = "\ufeffEmail,Name\nä@x.nl,Zoë\n".encode(codec)
    for encoding in ("utf-16", codec):
        found = landed(content, tmp_path, encoding=encoding)
        assert found is not None
        assert found.head.columns == ("Email", "Name")
        assert body(found) == "ä@x.nl,Zoë\n".encode()


def test_characters_across_chunk_borders_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters of several bytes are kept across chunk borders."""
    monkeypatch.setattr(normalizing, "CHUNK", 3)
    for encoding in ("shift_jis", "gb18030", "iso2022_jp", "utf-16-be", "utf-8"):
        found = landed("Email,Name\na@x.nl,山田太郎\n".encode(encoding), tmp_path, encoding=encoding)
        assert body(found) == "a@x.nl,山田太郎\n".encode()


def test_a_byte_order_mark_is_not_part_of_a_column(tmp_path: Path) -> None:
    """The byte order mark is not part of the first column's name."""
    found = landed(b"\xef\xbb\xbfEmail,Name\na,b\n", tmp_path)
    assert found is not None
    assert (found.head.columns, found.start) == (("Email", "Name"), 14)


@pytest.mark.parametrize(
    ("encoding", "content", "instead"),
    [("utf-16", b"Email,Name\na,b\n\xff", "utf-8"), ("windows-1252", b"Email,Name\na,\x81\n", "latin-1")],
)
def test_a_file_that_does_not_decode_is_refused(encoding: str, content: bytes, instead: str, tmp_path: Path) -> None:
    """The message names the declared encoding and one that may fit, never the text."""
    with pytest.raises(FileRejected) as refused:
        landed(content, tmp_path, encoding=encoding)
    message = str(refused.value)
    assert f"The file is not {encoding}" in message
    assert f"{instead} may fit" in message


def test_lines_before_the_header_are_removed(tmp_path: Path) -> None:
    """Lines before the header are removed, and rows keep their line numbers."""
    found = landed(b"Report\n\nEmail,Name\na,b\n", tmp_path, skip_rows=1)
    assert found is not None
    assert (body(found), found.start, found.body_line, found.survey.lines) == (b"a,b\n", 0, 4, 1)


def test_a_header_of_several_lines_is_removed(tmp_path: Path) -> None:
    """A header with a quoted line break is removed, and rows keep their line numbers."""
    found = landed(b'Email,"Na\nme"\na,b\n', tmp_path)
    assert found is not None
    assert (found.head.columns, body(found), found.body_line) == (("Email", "Na\nme"), b"a,b\n", 3)


def test_without_a_header_the_first_line_is_a_row(tmp_path: Path) -> None:
    """Without a header the first line is a row, and columns are numbered."""
    found = landed(b"a,b\nc,d", tmp_path, header=False)
    assert found is not None
    assert (found.head.columns, body(found), found.body_line, found.survey.lines) == (
        ("column1", "column2"),
        b"a,b\nc,d",
        1,
        2,
    )


def test_windows_line_breaks_are_not_copied(tmp_path: Path) -> None:
    """A file with CRLF line breaks throughout is not copied."""
    found = landed(b"Email,Name\r\na,b\r\n", tmp_path)
    assert found is not None
    assert (found.local, found.survey.regular, found.survey.lines) == (tmp_path / "0", True, 1)
    assert found.head.columns == ("Email", "Name")


def test_a_header_with_another_line_break_is_removed(tmp_path: Path) -> None:
    """A header whose line break differs from that of the rows is removed, since the parser needs one kind."""
    found = landed(b"Email,Name\na,b\r\n", tmp_path)
    assert found is not None
    assert (found.survey.regular, found.start, body(found)) == (True, 0, b"a,b\r\n")


REGULAR = {
    "plain": b"a,b\nc,d\n",
    "an open end": b"a,b\nc,d",
    "returns and line feeds": b"a,b\r\nc,d\r\n",
    "quotes": b'"a","b ""c"" "\n"","c,d"\n',
    "beginning with a hash": b"#a,b\n",
    "not English": "ä,é\n".encode(),
}
NOT_REGULAR = {
    "a line break in a value": b'a,"b\nc"\n',
    "a blank line": b"a,b\n\nc,d\n",
    "too many cells": b"a,b\nc,d,\n",
    "too few cells": b"a,b\nc\n",
    "mixed line breaks": b"a,b\nc,d\r\n",
    "returns": b"a,b\rc,d\r",
    "a quote inside a value": b'a,5" screen\n',
    "text after a closing quote": b'a,"b"c\n',
    "a blank before a quote": b'a, "b"\n',
    "a quote that does not close": b'a,"b\n',
    "the header again": b"a,b\nEmail,Name\n",
    "Ctrl-Z": b"a,b\n\x1a",
    "bytes that are not UTF-8": b"a,\xff\n",
    "a noncharacter": "a,\ufdd0\n".encode(),
    "a byte order mark on a line": "\ufeffa,b\n".encode(),
}


@pytest.mark.parametrize("chunk", [3, 1 << 20])
@pytest.mark.parametrize("name", [*REGULAR, *NOT_REGULAR])
def test_only_complete_lines_are_regular(
    name: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only parts in which each line is a complete row go to the parser, whatever the chunk size."""
    monkeypatch.setattr(survey, "CHUNK", chunk)
    rows = (REGULAR | NOT_REGULAR)[name]
    (tmp_path / "a").write_bytes(b"Email,Name\n" + rows)
    seen = survey_body(tmp_path / "a", 11, Format(), width=2, header="Email,Name")
    assert seen.regular == (name in REGULAR)
    if seen.regular:
        assert seen.lines == rows.count(b"\n") + (not rows.endswith(b"\n"))


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ({"comment": "#"}, b"#a,b\n"),
        ({"trailer": {"begins_with": "T"}}, b"T,1\n"),
        ({"escape": "\\"}, b"a,\\N\n"),
        ({"record_type": {"field": 1, "is": "D"}}, b"D,a\n"),
        ({"separator": ";;"}, b"a;;b\n"),
    ],
)
def test_declared_exceptions_are_not_regular(form: dict[str, Any], row: bytes, tmp_path: Path) -> None:
    """Parts with comments, trailers, escapes, record types or long separators are read line by line."""
    (tmp_path / "a").write_bytes(row)
    assert not survey_body(tmp_path / "a", 0, Format.model_validate(form), width=2, header="").regular


def test_nul_bytes_and_dividers_are_found(tmp_path: Path) -> None:
    """The survey finds NUL bytes and dividers, which conversions have to handle."""
    (tmp_path / "a").write_bytes(b"a,\0\n\x1f,b\n")
    seen = survey_body(tmp_path / "a", 0, Format(), width=2, header="")
    assert (seen.regular, seen.nuls, seen.divided) == (True, True, True)


def test_a_header_without_an_end_is_refused(tmp_path: Path) -> None:
    """A header longer than the limit is refused."""
    with pytest.raises(FileRejected, match="The header does not end within"):
        landed(b"Email,Name," + b"x" * (1 << 20) + b"\na,b\n", tmp_path)
