"""Files other than delimited text are refused with their kind and a remedy; text is not."""

import bz2
import io
import lzma
import shutil
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.importing.reading.recognition import HEAD, recognize, workbook
from cdp_sync.model.format import canonical_encoding

TEXT = "Email,Name\nann@x.io,Zoë\n" * 20
ONE_BYTE = ("utf-8", "latin-1", "windows-1252", "iso8859-15")


def tar() -> bytes:
    """Return a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (bz2.compress(b"a"), "a bzip2 archive"),
        (bz2.compress(b""), "a bzip2 archive"),
        (lzma.compress(b"a"), "an xz archive"),
        (tar(), "a tar archive"),
        (b"\x28\xb5\x2f\xfd\x24\x0b", "a Zstandard archive"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0",
            "an old or encrypted Office document, such as an Excel workbook (.xls)",
        ),
        (b"%PDF-1.4\n", "a PDF document"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"\x85\x01\x0c\x03" + bytes(range(100, 112)), "a file encrypted with PGP"),  # encrypted for an RSA key
        (b"-----BEGIN PGP MESSAGE-----\n\nhQ", "a PGP message"),
        (b"\xef\xbb\xbf \n<!DOCTYPE HTML>", "an HTML page"),
        (b"<html lang=en>", "an HTML page"),
        (b'<?xml version="1.0"?>', "an XML document"),
    ],
)
@pytest.mark.parametrize("encoding", ONE_BYTE)
def test_other_kinds_of_file_are_recognized(content: bytes, name: str, encoding: str) -> None:
    """Other kinds of file are recognized by their first bytes in any declared encoding; the message is one line."""
    kind = recognize(content[:HEAD], encoding)
    assert kind is not None
    assert kind.name == name
    message = str(kind.refusal("The file"))
    assert message.startswith(f"The file is {name}. Needed is delimited text")
    assert message.isprintable()


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command of gpg with a key for `ann@x.io`."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    words = ["gpg", "--homedir", str(home), "--batch", "--passphrase", "x", "--pinentry-mode", "loopback", "-q"]
    subprocess.run([*words, "--quick-gen-key", "ann@x.io", "future-default", "default", "never"], check=True)
    yield [*words, "--trust-model", "always"]
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


@pytest.mark.parametrize("arguments", ["-c", "-s", "-e -r ann@x.io", "-a -e -r ann@x.io"])
def test_gpg_files_are_recognized(arguments: str, gpg: list[str]) -> None:
    """Files that gpg encrypted, signed or armored are recognized."""
    done = subprocess.run([*gpg, *arguments.split(), "-o", "-"], input=TEXT.encode(), check=True, capture_output=True)
    for encoding in ONE_BYTE:
        kind = recognize(done.stdout[:HEAD], encoding)
        assert kind is not None
        assert "PGP" in kind.name


@pytest.mark.parametrize(
    ("written", "declared", "name"),
    [
        ("utf-16", "utf-8", "UTF-16"),
        ("utf-16", "windows-1252", "UTF-16"),
        ("utf-16-le", "utf-8", "UTF-16-LE"),
        ("utf-16-be", "latin-1", "UTF-16-BE"),
        ("utf-16-be", "utf-16", "UTF-16-BE"),
        ("utf-16-be", "utf-16-le", "UTF-16-BE"),
        ("utf-16", "utf-16-be", "UTF-16"),
        ("utf-32", "utf-8", "UTF-32"),
        ("utf-32", "utf-16", "UTF-32"),
        ("utf-32-be", "utf-8", "UTF-32-BE"),
        ("utf-8-sig", "windows-1252", "UTF-8"),
        ("utf-8", "utf-16", "of one byte for a letter"),
        ("latin-1", "utf-16-le", "of one byte for a letter"),
    ],
)
@pytest.mark.parametrize("text", [TEXT, "Почта,Имя\nann@x.io,Иван\n" * 200], ids=["latin", "cyrillic"])
def test_text_in_another_width_is_recognized(written: str, declared: str, name: str, text: str) -> None:
    """UTF-16 and UTF-32 that differ from the declared encoding are recognized, with or without a byte order mark."""
    kind = recognize(text.encode(written, "replace")[:HEAD], declared)
    assert kind is not None
    assert name in kind.name
    assert "Declare" in kind.remedy


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-8", "latin-1"), ("latin-1", "utf-8"), ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("utf-16-le", "utf-16"), ("utf-16", "utf-16-le"),
        ("utf-32", "utf-32"), ("utf-32-be", "utf-32-be"), ("cp037", "cp037"), ("shift_jis", "shift_jis"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", [TEXT, "a", "", "Почта,Имя\nann@x.io,Иван\n" * 200])
def test_text_is_accepted(written: str, declared: str, text: str) -> None:
    """Text in the declared encoding, or in one of the same width, is accepted."""
    assert recognize(text.encode(written, "replace")[:HEAD], canonical_encoding(declared)) is None


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=300))
def test_no_text_is_refused_as_another_kind(text: str) -> None:
    """Any text is accepted, except for one that begins like a document."""
    kind = recognize(text.encode()[:HEAD], "utf-8")
    assert kind is None or kind.name in ("an HTML page", "an XML document", "a PDF document")


def test_office_documents_are_recognized_by_their_members() -> None:
    """A workbook is recognized by the names of its members."""
    assert workbook(["a.csv", "xl/a.csv"]) is None
    for names, kind in (
        (["[Content_Types].xml", "xl/workbook.xml"], "an Excel workbook (.xlsx)"),
        (["[Content_Types].xml", "word/document.xml"], "a Word document (.docx)"),
        (["mimetype", "content.xml", "META-INF/manifest.xml"], "an Office document"),
    ):
        found = workbook(names)
        assert found is not None
        assert found.name == kind
