"""Archives: their members, the order of members, path traversal, and size limits."""

import gzip
import io
import random
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import FileRejected
from cdp_sync.importing.sources import archives as unpacking
from cdp_sync.importing.sources.archives import unpack
from cdp_sync.model import FileGoal

MEMBERS = {"b.csv": b"b\n", "a/a.csv": b"a\n", "c.csv": b""}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of these members, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def goal(**declared: Any) -> FileGoal:
    """Return a goal."""
    return FileGoal.model_validate({"name": "a", "link": [{"field": "Email", "property": "email"}]} | declared)


def unpacked(
    name: str, content: bytes, tmp_path: Path, warnings: list[str] | None = None, **declared: Any
) -> list[tuple[str, bytes]]:
    """Return the parts of a file: their names and contents."""
    folder = tmp_path / "unpacked"
    folder.mkdir(exist_ok=True)
    local = tmp_path / "0"
    local.write_bytes(content)
    warn = (warnings if warnings is not None else []).append
    return [
        (part.name, part.local.read_bytes()) for part in unpack(f"/in/{name}", local, folder, goal(**declared), warn)
    ]


def refusal(name: str, content: bytes, tmp_path: Path) -> str:
    """Return the message of a refused file, after checking that nothing is written outside the folder."""
    with pytest.raises(FileRejected) as refused:
        unpacked(name, content, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"0", "unpacked"}
    return str(refused.value)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip"])
@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b""])
def test_a_plain_file_is_its_own_part(name: str, content: bytes, tmp_path: Path) -> None:
    """A file without an archive's signature is not unpacked, whatever its suffix."""
    assert unpacked(name, content, tmp_path) == [(f"/in/{name}", content)]


def test_archives_are_recognized_by_signature(tmp_path: Path) -> None:
    """Gzip and zip are recognized by signature, also without a suffix or with a wrong one."""
    assert unpacked("a.csv", gzip.compress(b"a\n"), tmp_path) == [("/in/a.csv", b"a\n")]
    assert unpacked("a.gz", zipped({"a.csv": b"a\n"}), tmp_path) == [("/in/a.gz!a.csv", b"a\n")]


@pytest.mark.parametrize("name", ["a.csv.gz", "A.CSV.GZ"])
def test_a_gz_has_one_part(name: str, tmp_path: Path) -> None:
    """A `.gz` file, in any case, is unpacked to one part that keeps its name."""
    assert unpacked(name, gzip.compress(b"a,b\n1,2\n"), tmp_path) == [(f"/in/{name}", b"a,b\n1,2\n")]


def test_a_gz_of_several_streams_is_read_to_its_end(tmp_path: Path) -> None:
    """Concatenated gzip streams are read as one text."""
    assert unpacked("a.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n"), tmp_path) == [("/in/a.gz", b"a\nb\n")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_a_zip_come_in_the_order_of_the_archive(method: int, tmp_path: Path) -> None:
    """Each member is a part, named after archive and member, in the order of the archive."""
    assert unpacked("a.zip", zipped(MEMBERS, method), tmp_path) == [
        (f"/in/a.zip!{name}", content) for name, content in MEMBERS.items()
    ]


def test_folders_and_macos_metadata_are_skipped(tmp_path: Path) -> None:
    """Directory entries and macOS metadata are skipped."""
    content = zipped({"in/": b"", "in/a.csv": b"a\n", "__MACOSX/in/._a.csv": b"shadow"})
    assert unpacked("a.zip", content, tmp_path) == [("/in/a.zip!in/a.csv", b"a\n")]


@pytest.mark.parametrize("name", ["../a.csv", "a/../../b.csv", "/etc/a.csv", "..\\a.csv", "..", "\\server\\a.csv"])
def test_a_path_outside_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    """An archive with a path outside the folder is refused as a whole; no member is written."""
    message = refusal("a.zip", zipped({"good.csv": b"a\n", name: b"evil"}), tmp_path)
    assert "name leaves the archive" in message
    assert "Have it packed without `..`" in message
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_members_are_written_under_generated_names(tmp_path: Path) -> None:
    """Members are written under generated names, never under the names in the archive."""
    unpacked("a.zip", zipped({"C:evil.csv": b"a", "con.csv": b"b", "x" * 300 + ".csv": b"c"}), tmp_path)
    assert {path.name for path in (tmp_path / "unpacked").iterdir()} == {f"0.{number}.unpacked" for number in range(3)}


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    """An archive that needs a password is refused as encrypted, not as damaged."""
    content = bytearray(zipped({"a.csv": b"a\n"}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + place
        content[at : at + 2] = struct.pack("<H", struct.unpack_from("<H", content, at)[0] | 1)
    message = refusal("a.zip", bytes(content), tmp_path)
    assert "encrypted" in message
    assert "without a password" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gz", gzip.compress(b"a,b\n1,2\n" * 99)[:-9]),
        ("a.gz", gzip.compress(b"a")[:-8] + b"\0" * 8),
        ("a.gz", b"\x1f\x8b\x08\x00" + b"\xff" * 40),
        ("a.zip", zipped(MEMBERS)[:-30]),
        ("a.zip", zipped({"a.csv": b"plain text"}, zipfile.ZIP_STORED).replace(b"plain", b"plaim")),
    ],
    ids=["cut gz", "gz checksum", "gz garbage", "cut zip", "zip checksum"],
)
def test_a_damaged_archive_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    """A damaged archive is refused with a remedy, and the run goes on."""
    message = refusal(name, content, tmp_path)
    assert "damaged" in message
    assert "Have it delivered again" in message


def test_a_zip_with_a_wrong_directory_offset_is_refused(tmp_path: Path) -> None:
    """A zip whose central directory has a wrong offset is refused as damaged."""
    content = bytearray(zipped(MEMBERS))
    content[-3] = 0x7F
    assert "damaged" in refusal("a.zip", bytes(content), tmp_path)


def test_flipped_bytes_raise_no_other_error(tmp_path: Path) -> None:
    """An archive with flipped bytes is read or refused; no other error is raised."""
    rng = random.Random(7)
    for name, content in (("a.zip", zipped(MEMBERS)), ("a.gz", gzip.compress(b"a,b\n" * 99))):
        for _ in range(150):
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 3)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            with suppress(FileRejected):
                unpacked(name, bytes(damaged), tmp_path)


@pytest.mark.parametrize("name", ["a.gz", "a.zip"])
def test_a_decompression_bomb_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that unpacks to more than its limit is refused before it fills the disk."""
    monkeypatch.setattr(unpacking, "FREE_ALLOWANCE", 1 << 20)
    bomb = b"\0" * (24 << 20)
    message = refusal(name, gzip.compress(bomb) if name == "a.gz" else zipped({"a.csv": bomb}), tmp_path)
    assert "unpacks to more than" in message
    assert "100 times its packed size" in message
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) <= 4 << 20


def test_members_share_one_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size limit applies to the sum of all members."""
    monkeypatch.setattr(unpacking, "FREE_ALLOWANCE", 1 << 20)
    monkeypatch.setattr(unpacking, "RATIO_ALLOWANCE", 1)
    message = refusal("a.zip", zipped({f"{number}.csv": b"\0" * (300 << 10) for number in range(4)}), tmp_path)
    assert "unpacks to more than" in message


def test_small_archives_may_exceed_the_ratio(tmp_path: Path) -> None:
    """A small archive may exceed the compression ratio limit."""
    text = b"a,b\n" * 500_000
    assert unpacked("a.gz", gzip.compress(text), tmp_path) == [("/in/a.gz", text)]


@pytest.mark.parametrize(
    ("members", "declared", "taken"),
    [
        (["a.csv", "README.txt", "README", "LICENSE.md"], {}, ["a.csv"]),
        (["a.csv", ".a.csv.swp", "__MACOSX/._a.csv", "Thumbs.db", "in/desktop.ini", ".git/a.csv"], {}, ["a.csv"]),
        (["a.csv", "b.CSV", "notes.txt", "schema.sql"], {}, ["a.csv", "b.CSV"]),
        (["a.txt", "b.dat", "readme.txt", "logo.png"], {}, ["a.txt", "b.dat"]),
        (["customers", "a.pdf"], {}, ["customers"]),
        (["a.xyz", "b.xyz"], {}, ["a.xyz", "b.xyz"]),
        (["README.txt"], {}, ["README.txt"]),
        (["./a.csv", "in\\b.csv"], {}, ["./a.csv", "in\\b.csv"]),
        (["a.csv", "b.csv", "c.txt"], {"files": "a*"}, ["a.csv"]),
        (["x/a1.csv", "a2.txt", "b.csv"], {"files": "a*"}, ["x/a1.csv", "a2.txt"]),
        (["a1.csv", "a2.txt"], {"files": "a*"}, ["a1.csv", "a2.txt"]),
        (["a.csv", "b.txt"], {"files": "*"}, ["a.csv"]),
        (["a.csv", "b.txt"], {"files": "delivery_*.zip"}, ["a.csv"]),
        (["a.csv", "b.csv", "c.txt"], {"files_regex": "[ac][.].*"}, ["a.csv", "c.txt"]),
        (["a.csv", "b.csv", "readme.txt", ".c"], {"members": "*.txt"}, ["readme.txt"]),
        (["a.csv", "b.csv"], {"members": "B*", "files": "a*"}, []),
    ],
)
def test_members_are_selected_by_pattern_and_suffix(
    members: list[str], declared: dict[str, Any], taken: list[str], tmp_path: Path
) -> None:
    """`members` selects members, then the goal's pattern, then suffixes; a warning lists the others."""
    warnings: list[str] = []
    content = zipped(dict.fromkeys(members, b"a\n"))
    if not taken:
        with pytest.raises(FileRejected, match=r"left out: a\.csv, b\.csv\."):
            unpacked("a.zip", content, tmp_path, warnings, **declared)
        return
    found = [name for name, _ in unpacked("a.zip", content, tmp_path, warnings, **declared)]
    assert found == [f"/in/a.zip!{name}" for name in taken]
    left = [name for name in members if name not in taken]
    assert warnings == ([f"Members of the archive that are left out: {', '.join(left)}."] if left else [])


def test_at_most_ten_printable_names_are_listed(tmp_path: Path) -> None:
    """A warning lists at most ten member names, on one line, without control characters."""
    warnings: list[str] = []
    unpacked(
        "a.zip", zipped({"a.csv": b"a\n", "x\n1.txt": b"", **{f"{n}.txt": b"" for n in range(11)}}), tmp_path, warnings
    )
    (warning,) = warnings
    assert warning.isprintable()
    assert warning.endswith("and 2 more.")


def test_a_zip_without_files_is_empty(tmp_path: Path) -> None:
    """A zip without files gives a warning, as an empty file does."""
    for content in (zipped({}), zipped({"in/": b""})):
        warnings: list[str] = []
        assert unpacked("a.zip", content, tmp_path, warnings) == []
        assert warnings == ["The file is empty: an archive that holds no file."]


def test_members_with_the_same_name_are_all_read(tmp_path: Path) -> None:
    """Two members with the same name are both read."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", b"a\n")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.csv", b"b\n")
    assert [content for _, content in unpacked("a.zip", buffer.getvalue(), tmp_path)] == [b"a\n", b"b\n"]


@pytest.mark.parametrize(("number", "name"), [(9, "Deflate64"), (98, "PPMd"), (93, "Zstandard"), (6, "Implode")])
def test_an_unsupported_compression_method_is_named(number: int, name: str, tmp_path: Path) -> None:
    """A member with an unsupported method is refused with member, method and remedy, not as damaged."""
    content = bytearray(zipped({"a.csv": b"a\n"}))
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(signature) + place, number)
    message = refusal("a.zip", bytes(content), tmp_path)
    assert f"a.zip!a.csv: The archive is packed by the method {name}" in message
    assert "Have it packed again" in message
    assert "damaged" not in message


def test_a_member_that_fails_is_named(tmp_path: Path) -> None:
    """The message names the member that is damaged or not text."""
    damaged = zipped({"a.csv": b"fine", "b.csv": b"plain text"}, zipfile.ZIP_STORED).replace(b"plain", b"plaim")
    message = refusal("x.zip", damaged, tmp_path)
    assert message.startswith("x.zip!b.csv: ")
    assert refusal("x.zip", zipped({"in/b.csv": gzip.compress(b"a")}), tmp_path).startswith(
        "x.zip!in/b.csv: The member"
    )


def test_an_archive_inside_an_archive_is_recognized(tmp_path: Path) -> None:
    """An archive or workbook inside an archive is refused with its kind."""
    workbook = zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""})
    for content, name in (
        (zipped(MEMBERS), "a zip archive"),
        (gzip.compress(b"a"), "a gzip archive"),
        (workbook, "an Excel workbook"),
    ):
        assert f"The content of the gzip archive is {name}" in refusal("a.csv.gz", gzip.compress(content), tmp_path)
    assert "a.zip!a.xlsx: The member is an Excel workbook" in refusal("a.zip", zipped({"a.xlsx": workbook}), tmp_path)
