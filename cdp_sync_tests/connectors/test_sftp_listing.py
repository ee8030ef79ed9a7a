"""Listings of directories, from well-behaved and from hostile servers."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.errors import ConnectionLost, RemotePathMissing
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.connectors.conftest import Connect, StartSandbox
from cdp_sync_tests.openssh import OpenSshServer


def test_a_file_is_reported_with_path_size_and_time(sandbox: SftpSandbox, root: Path, connect: Connect) -> None:
    """A listed file has its absolute path, its size in bytes and its modification time in UTC."""
    (root / "inbox/a.csv").write_bytes(b"12345")
    os.utime(root / "inbox/a.csv", (0, 1_700_000_000))
    (file,) = connect(sandbox).list_directory("/inbox")
    assert (file.path, file.name, file.size) == ("/inbox/a.csv", "a.csv", 5)
    assert file.modified_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_trailing_slash_changes_nothing(sandbox: SftpSandbox, root: Path, connect: Connect) -> None:
    """`/inbox/` and `/inbox` list the same paths, and files in the root have one slash."""
    (root / "inbox/a.csv").touch()
    (root / "top.csv").touch()
    client = connect(sandbox)
    assert client.list_directory("/inbox/") == client.list_directory("/inbox")
    assert [file.path for file in client.list_directory("/")] == ["/top.csv"]


@pytest.mark.parametrize("name", ["with space.csv", "Kündigung.csv", "💌.csv", "quo'te\".csv", "*.csv", "-rf"])
def test_any_utf8_name_is_listed_and_fetched(
    openssh: OpenSshServer, tmp_path: Path, connect: Connect, name: str
) -> None:
    """Names with spaces and letters of any script work from listing to download."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / name).write_text(name)
    client = connect(openssh)
    (file,) = client.list_directory(str(tmp_path / "served"))
    assert file.name == name
    assert client.download(file, tmp_path / "fetched").local.read_text() == name


def test_only_regular_files_and_links_to_them_are_listed(
    openssh: OpenSshServer, tmp_path: Path, connect: Connect
) -> None:
    """Only regular files and links to them are listed."""
    served = tmp_path / "served"
    (served / "folder").mkdir(parents=True)
    (served / "file").write_bytes(b"123")
    os.mkfifo(served / "pipe")
    for name, target in {"to_file": "file", "to_folder": "folder", "dangling": "nowhere", "loop": "loop"}.items():
        (served / name).symlink_to(target)
    files = connect(openssh).list_directory(str(served))
    assert {file.name: file.size for file in files} == {"file": 3, "to_file": 3}


ODD = (
    b"K\xfcndigung.csv",
    rb"K\xfcndigung.csv",
    rb"K\\xfcndigung.csv",
    b"K\\\xfcndigung.csv",
    b"\xff",
    rb"a\b.csv",
    b"\xc3",
)


@pytest.mark.parametrize("kind", ["sandbox", "openssh"])
def test_names_that_are_not_utf8_are_downloaded(
    kind: str, root: Path, tmp_path: Path, connect: Connect, request: pytest.FixtureRequest
) -> None:
    """A name that is not UTF-8 is listed with escapes and can be downloaded."""
    for name in ODD:
        (root / "inbox" / os.fsdecode(name)).write_bytes(name)
    client = connect(request.getfixturevalue(kind))
    files = client.list_directory("/inbox" if kind == "sandbox" else str(root / "inbox"))
    fetched = {file.name: client.download(file, tmp_path / "fetched").local.read_bytes() for file in files}
    assert sorted(fetched.values()) == sorted(ODD)
    assert fetched["K\\xfcndigung.csv"] == b"K\xfcndigung.csv"
    assert fetched["a\\b.csv"] == rb"a\b.csv"


@given(st.binary(max_size=20) | st.from_regex(rb"(\\{0,3}(x[0-9a-f]{2}|\xe9|e)){0,4}", fullmatch=True))
def test_every_name_has_one_text(name: bytes) -> None:
    """Each name has one printable text that leads back to the same bytes."""
    text = packets.as_text(name)
    assert packets.as_bytes(text) == name
    assert text.encode() is not None
    if b"\\" not in name and text.isprintable() and "\\" not in text:
        assert text.encode() == name


class HostileFiles(Files):
    """Lists names that point outside the directory."""

    names = (".", "..", "../../etc/passwd", "/etc/passwd", "a\0b", "", "good.csv")

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes]:
        """Return the names, each as a regular file."""
        return [paramiko.SFTPAttributes.from_stat(Path(__file__).stat(), name) for name in self.names]


class HostileSandbox(SftpSandbox):
    """A sandbox with hostile names."""

    files = HostileFiles


def test_hostile_names_are_left_out(start_sandbox: StartSandbox, connect: Connect) -> None:
    """An empty name, `.`, `..`, and a name with a slash or NUL are left out. Attacks are logged."""
    lines: list[str] = []
    files = connect(start_sandbox(HostileSandbox), log=lines.append).list_directory("/inbox")
    assert [file.path for file in files] == ["/inbox/good.csv"]
    assert sum("would leave the directory" in line for line in lines) == 4


class CutFiles(Files):
    """Drops the connection during a listing."""

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes]:
        """Return attributes of which the last but one drops the connection when it is sent."""
        attributes = [paramiko.SFTPAttributes.from_stat(Path(__file__).stat(), f"{n}.csv") for n in range(100)]
        attributes[98] = CuttingAttributes.from_stat(Path(__file__).stat(), "98.csv")
        return attributes


class CuttingAttributes(paramiko.SFTPAttributes):
    """Drops the connection when it is sent."""

    def asbytes(self) -> bytes:
        """Drop all connections."""
        CutSandbox.running[-1].hang_up()
        return super().asbytes()


class CutSandbox(SftpSandbox):
    """A sandbox that cuts listings short."""

    files = CutFiles
    running: ClassVar[list[SftpSandbox]] = []

    def __enter__(self) -> Self:
        """Start, and become the sandbox whose connections are dropped."""
        self.running.append(self)
        return super().__enter__()


def test_a_listing_cut_short_is_an_error(start_sandbox: StartSandbox, connect: Connect) -> None:
    """A connection that drops during a listing is ConnectionLost, not a shorter listing."""
    with pytest.raises(ConnectionLost):
        connect(start_sandbox(CutSandbox), attempts=2).list_directory("/inbox")


@pytest.mark.parametrize("directory", ["/nowhere", "/inbox/a.csv"])
def test_a_missing_directory_is_named(sandbox: SftpSandbox, root: Path, connect: Connect, directory: str) -> None:
    """A missing directory, or a file in its place, is RemotePathMissing, and the connection stays open."""
    (root / "inbox/a.csv").touch()
    client = connect(sandbox)
    with pytest.raises(RemotePathMissing, match=directory):
        client.list_directory(directory)
    assert client.exists("/inbox")
    assert sandbox.connections == 1


@pytest.mark.parametrize("kind", ["sandbox", "openssh"])
def test_ten_thousand_files_are_listed(kind: str, root: Path, connect: Connect, request: pytest.FixtureRequest) -> None:
    """A listing of 10,000 files is complete for any number of names per reply."""
    for number in range(10_000):
        (root / "inbox" / f"{number}.csv").touch()
    client = connect(request.getfixturevalue(kind))
    files = client.list_directory("/inbox" if kind == "sandbox" else str(root / "inbox"))
    assert {file.name for file in files} == {f"{number}.csv" for number in range(10_000)}


def test_exists_is_false_of_a_missing_path(sandbox: SftpSandbox, root: Path, connect: Connect) -> None:
    """`exists` is true of files and folders, and false of a missing path."""
    (root / "inbox/a.csv").touch()
    client = connect(sandbox)
    assert [client.exists(path) for path in ("/inbox", "/inbox/a.csv", "/inbox/b.csv")] == [True, True, False]
