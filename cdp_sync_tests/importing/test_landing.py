"""Files are brought to what the parser reads: UTF-8, one kind of line break, lines counted."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_sync.errors import FileRejected
from cdp_sync.importing import landing
from cdp_sync.importing.landing import Landed, land, survey_file
from cdp_sync.importing.unpacking import Part
from cdp_sync.model import FileGoal


def landed(content: bytes, tmp_path: Path, **form: Any) -> Landed | None:
    """Land a file whose columns are Email and Name."""
    goal = FileGoal.model_validate(
        {"name": "a", "link": [{"field": "Email", "property": "email"}], "format": form}
        | ({"link": [{"field": "column1", "property": "email"}]} if form.get("header") is False else {})
    )
    local = tmp_path / "0"
    local.write_bytes(content)
    return land(Part("/in/a.csv", local), goal)


def body(found: Landed | None) -> bytes:
    """Return what the parser will read as rows."""
    assert found is not None
    lines = found.local.read_bytes()[found.survey.mark :].splitlines(keepends=True)
    return b"".join(lines[found.skip :])


def test_a_file_that_is_fit_already_is_not_copied(tmp_path: Path) -> None:
    """UTF-8 with one kind of line break and its header on top is parsed where it lies."""
    found = landed(b"Email,Name\na,b\n", tmp_path)
    assert found is not None
    assert (found.local, found.skip, found.survey.lines, found.survey.break_size) == (tmp_path / "0", 1, 2, 1)
    assert (found.survey.mark, found.survey.nuls, found.body_line, found.warnings) == (0, 0, 2, ())
    assert list(tmp_path.iterdir()) == [tmp_path / "0"]


def test_a_file_without_a_byte_is_none(tmp_path: Path) -> None:
    """An empty file is neither parsed nor refused."""
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
    """What a declared encoding says is what the parser reads, umlauts and all."""
    found = landed("Email,Name\nä@x.nl,Zoë\n".encode(codec), tmp_path, encoding=encoding)
    assert body(found) == "ä@x.nl,Zoë\n".encode()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_goes_by_its_mark(codec: str, tmp_path: Path) -> None:
    """Both byte orders are read by their marks, whether the order is declared or not."""
    content = "\ufeffEmail,Name\nä@x.nl,Zoë\n".encode(codec)
    for encoding in ("utf-16", codec):
        found = landed(content, tmp_path, encoding=encoding)
        assert found is not None
        assert found.head.columns == ("Email", "Name")
        assert body(found) == "ä@x.nl,Zoë\n".encode()


def test_letters_of_several_bytes_may_stand_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a chunk ends, no letter is lost."""
    monkeypatch.setattr(landing, "CHUNK", 3)
    for encoding in ("shift_jis", "gb18030", "iso2022_jp", "utf-16-be", "utf-8"):
        found = landed("Email,Name\na@x.nl,山田太郎\n".encode(encoding), tmp_path, encoding=encoding)
        assert body(found) == "a@x.nl,山田太郎\n".encode()


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    """The first column has its name, the mark's size is known."""
    found = landed(b"\xef\xbb\xbfEmail,Name\na,b\n", tmp_path)
    assert found is not None
    assert (found.head.columns, found.survey.mark) == (("Email", "Name"), 3)


@pytest.mark.parametrize(
    ("encoding", "content", "instead"),
    [("utf-16", b"Email,Name\na,b\n\xff", "utf-8"), ("windows-1252", b"Email,Name\na,\x81\n", "latin-1")],
)
def test_a_file_that_does_not_decode_is_refused(encoding: str, content: bytes, instead: str, tmp_path: Path) -> None:
    """The message names the declared encoding and one that may fit, never the text."""
    with pytest.raises(FileRejected) as refused:
        landed(content, tmp_path, encoding=encoding)
    told = str(refused.value)
    assert f"The file is not {encoding}" in told
    assert f"{instead} may fit" in told


def test_lines_before_the_header_are_taken_away(tmp_path: Path) -> None:
    """Rows behind skipped lines keep the numbers of their lines."""
    found = landed(b"Report\n\nEmail,Name\na,b\n", tmp_path, skip_rows=1)
    assert found is not None
    assert (body(found), found.skip, found.body_line, found.survey.lines) == (b"a,b\n", 0, 4, 1)


def test_a_header_of_several_lines_is_taken_away(tmp_path: Path) -> None:
    """A quoted line break in the header makes the rows begin later."""
    found = landed(b'Email,"Na\nme"\na,b\n', tmp_path)
    assert found is not None
    assert (found.head.columns, body(found), found.body_line) == (("Email", "Na\nme"), b"a,b\n", 3)


def test_without_a_header_the_first_line_is_a_row(tmp_path: Path) -> None:
    """Nothing is skipped, and columns are numbered."""
    found = landed(b"a,b\nc,d", tmp_path, header=False)
    assert found is not None
    assert (found.head.columns, body(found), found.body_line, found.survey.lines) == (
        ("column1", "column2"),
        b"a,b\nc,d",
        1,
        2,
    )


def test_windows_line_breaks_stay(tmp_path: Path) -> None:
    """A file whose line breaks are all of two bytes is not written anew."""
    found = landed(b"Email,Name\r\na,b\r\n", tmp_path)
    assert found is not None
    assert (found.local, found.survey.break_size, found.survey.lines, found.head.columns) == (
        tmp_path / "0",
        2,
        2,
        ("Email", "Name"),
    )


def test_a_nul_byte_is_noticed(tmp_path: Path) -> None:
    """The parser must know, because it would end the file there."""
    found = landed(b"Email,Name\na,\0b\n", tmp_path)
    assert found is not None
    assert found.survey.nuls == 1


LINES = st.lists(st.tuples(st.sampled_from(["a,b", "", "é,x"]), st.sampled_from(["\n", "\r\n", "\r"])), max_size=12)


@settings(deadline=None)
@given(LINES, st.sampled_from(["", "end"]), st.integers(1, 5))
def test_mixed_line_breaks_become_one_kind(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]], end: str, chunk: int
) -> None:
    """Whatever mixture of line breaks, and wherever chunks are cut, the lines are the same and counted right."""
    written = "Email,Name\n" + "".join(line + ending for line, ending in lines) + end
    # A lone return and a line feed from the next line are one pair, as they are to whoever reads the bytes.
    expected = written.replace("\r\n", "\n").replace("\r", "\n")
    tmp_path = tmp_path_factory.mktemp("mixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing, "CHUNK", chunk)
        found = landed(written.encode(), tmp_path)
    assert found is not None
    text = found.local.read_bytes()
    if found.survey.break_size == 1:
        assert text == expected.encode()
    assert text.replace(b"\r\n", b"\n") == expected.encode()
    assert found.survey.lines == expected.count("\n") + (not expected.endswith("\n"))


QUOTED = b'"x\r\ny",1\n"\r","2"\r\n"a\nb","c""\r"\r"\r\n","\n"'


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 20])
def test_line_breaks_inside_quotes_stay(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those between rows become line feeds, wherever chunks are cut; values are not changed."""
    monkeypatch.setattr(landing, "CHUNK", chunk)
    found = landed(b"Email,Name\n" + QUOTED, tmp_path)
    assert found is not None
    expected = b'Email,Name\n"x\r\ny",1\n"\r","2"\n"a\nb","c""\r"\n"\r\n","\n"'
    assert found.local.read_bytes() == expected
    assert (found.survey.kept_inside, found.survey.break_size, found.survey.lines) == (
        True,
        1,
        expected.count(b"\n") + 1,
    )


@pytest.mark.parametrize("stray", [b'5" pipe\r\n6" pipe\n', b'"open\r\nnever closed\n'])
def test_where_quotes_are_in_disorder_all_line_breaks_become_one_kind(stray: bytes, tmp_path: Path) -> None:
    """A quote inside a field, or one that never closes, says nothing about where rows end."""
    found = landed(b"Email\n" + stray, tmp_path)
    assert found is not None
    assert found.local.read_bytes() == b"Email\n" + stray.replace(b"\r\n", b"\n")
    assert not found.survey.kept_inside


@pytest.mark.parametrize("chunk", [3, 4, 7, 1 << 20])
def test_a_survey_counts_across_chunks(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs, marks and open ends are counted right wherever the chunks are cut."""
    monkeypatch.setattr(landing, "CHUNK", chunk)
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\0\r\r\nopen")
    survey = survey_file(tmp_path / "a")
    counted = (survey.line_feeds, survey.returns, survey.pairs, survey.nuls, survey.mark, survey.ends_open)
    assert counted == (3, 4, 2, 1, 3, True)
