"""Downloads: complete, resumed, or none."""

import hashlib
import sys
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paramiko import sftp

from cdp_sync.connectors.sftp.protocol import transfer
from cdp_sync.errors import ConnectionLost, RemoteFailure, RemoteNameRefused
from cdp_sync.model.remote import RemoteFile
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import OpenFile
from cdp_sync_tests.connectors.conftest import Connect, StartSandbox
from cdp_sync_tests.connectors.files import names_in, sandbox_that_reads, written
from cdp_sync_tests.openssh import OpenSshServer

BLOCK = 255 << 10
"""The size of one read request."""
BIG = 40 << 20
"""More than the client has in flight at any time."""


@pytest.mark.parametrize("size", [0, 1, 32767, 32768, 32769, BLOCK - 1, BLOCK, BLOCK + 1, 5_000_000])
@pytest.mark.parametrize("kind", ["sandbox", "openssh"])
def test_a_file_is_downloaded_byte_for_byte(
    kind: str, size: int, root: Path, fetched: Path, connect: Connect, request: pytest.FixtureRequest
) -> None:
    """A file is downloaded byte for byte with its hash, for sizes around every block size."""
    sha256 = written(root / "inbox/a.csv", size)
    client = connect(request.getfixturevalue(kind))
    (file,) = client.list_directory("/inbox" if kind == "sandbox" else str(root / "inbox"))
    arrived: list[int] = []
    result = client.download(file, fetched, progress=arrived.append)
    assert (result.remote, result.local, result.sha256) == (file, fetched, sha256)
    assert hashlib.sha256(fetched.read_bytes()).hexdigest() == sha256
    assert names_in(fetched.parent) == [fetched.name]
    assert arrived == sorted(arrived)
    assert arrived[-1:] == ([size] if size else [])


def test_only_the_owner_reads_a_download(sandbox: SftpSandbox, root: Path, fetched: Path, connect: Connect) -> None:
    """A downloaded file holds personal data and is readable by its owner only."""
    written(root / "inbox/a.csv", 1)
    client = connect(sandbox)
    client.download(client.list_directory("/inbox")[0], fetched)
    assert fetched.stat().st_mode & 0o777 == 0o600


def test_read_head_returns_the_first_bytes(sandbox: SftpSandbox, root: Path, connect: Connect) -> None:
    """`read_head` returns the requested bytes, or a smaller file's, and the connection stays open."""
    (root / "inbox/a.csv").write_bytes(b"0123456789" * 20_000)
    client = connect(sandbox)
    assert client.read_head("/inbox/a.csv", 12) == b"012345678901"
    assert len(client.read_head("/inbox/a.csv")) == 65536
    assert len(client.read_head("/inbox/a.csv", 10**6)) == 200_000
    assert sandbox.connections == 1


@pytest.mark.parametrize("most", [1000, 16384, 30000])
def test_short_reads_are_completed(
    start_sandbox: StartSandbox, root: Path, fetched: Path, connect: Connect, most: int
) -> None:
    """A server may return fewer bytes than requested; none is lost or doubled."""
    size = 1_000_003
    sha256 = written(root / "inbox/a.csv", size)
    server = start_sandbox(
        sandbox_that_reads(lambda file, offset, length: OpenFile.read(file, offset, min(length, most)))
    )
    client = connect(server)
    assert client.download(client.list_directory("/inbox")[0], fetched).sha256 == sha256


class Dropper:
    """Drops the connection at given offsets, once per opening of the file."""

    def __init__(self, offsets: list[int]) -> None:
        self._offsets = iter(offsets)
        self._opened: list[OpenFile] = []
        self._drop_at = 0
        self.starts: list[int] = []
        """The first requested offset after each opening."""
        self.server: SftpSandbox | None = None

    def __call__(self, file: OpenFile, offset: int, length: int) -> bytes | int:
        """Answer a READ."""
        if file not in self._opened:
            self._opened.append(file)
            self.starts.append(offset)
            self._drop_at = next(self._offsets, sys.maxsize)
        if offset >= self._drop_at and self.server is not None:
            self._drop_at = sys.maxsize
            self.server.hang_up()
        return OpenFile.read(file, offset, length)


def test_a_dropped_connection_is_resumed(
    start_sandbox: StartSandbox, root: Path, fetched: Path, connect: Connect
) -> None:
    """After each drop the download resumes where it stopped, more often than `attempts`."""
    sha256 = written(root / "inbox/a.csv", 15_000_000)
    dropper = Dropper([3_000_000, 6_000_000, 9_000_000, 12_000_000])
    dropper.server = start_sandbox(sandbox_that_reads(lambda *args: dropper(*args)))
    lines: list[str] = []
    client = connect(dropper.server, attempts=3, log=lines.append)
    assert client.download(client.list_directory("/inbox")[0], fetched).sha256 == sha256
    assert len(dropper.starts) == len(lines) + 1 == 5
    assert dropper.starts == sorted(dropper.starts)
    # Only bytes in flight are lost: all other requested bytes had arrived.
    assert dropper.starts[-1] >= 12_000_000 - transfer._IN_FLIGHT - BLOCK
    assert hashlib.sha256(fetched.read_bytes()).hexdigest() == sha256
    assert names_in(fetched.parent) == [fetched.name]


def test_the_last_attempt_raises_connection_lost(
    start_sandbox: StartSandbox, root: Path, fetched: Path, connect: Connect
) -> None:
    """Only attempts without progress count. The last one raises ConnectionLost and leaves no file."""
    written(root / "inbox/a.csv", 1_000_000)
    dropper = Dropper([0] * 10)
    dropper.server = start_sandbox(sandbox_that_reads(lambda *args: dropper(*args)))
    client = connect(dropper.server, attempts=3)
    file = client.list_directory("/inbox")[0]
    with pytest.raises(ConnectionLost):
        client.download(file, fetched)
    assert len(dropper.starts) == 3
    assert not fetched.exists()


def test_a_killed_openssh_session_is_resumed(
    openssh: OpenSshServer, root: Path, fetched: Path, connect: Connect
) -> None:
    """A download resumes after the server's processes are killed."""
    sha256 = written(root / "inbox/a.csv", BIG)
    client = connect(openssh)
    (file,) = client.list_directory(str(root / "inbox"))
    kills = iter([BIG // 4, BIG // 2, BIG * 2])
    state = {"next": next(kills)}

    def kill(arrived: int) -> None:
        if arrived >= state["next"]:
            state["next"] = next(kills)
            openssh.kill_sessions()

    assert client.download(file, fetched, progress=kill).sha256 == sha256
    assert state["next"] == BIG * 2


def test_a_stalled_server_is_noticed(openssh: OpenSshServer, root: Path, fetched: Path, connect: Connect) -> None:
    """A server that stalls during a file is ConnectionLost after about `read_timeout`."""
    with (root / "inbox/a.csv").open("wb") as file:
        file.truncate(BIG)
    client = connect(openssh, read_timeout=1, connect_timeout=1, attempts=1)
    (remote,) = client.list_directory(str(root / "inbox"))
    stopped: list[AbstractContextManager[None]] = []

    def stop(_arrived: int) -> None:
        if not stopped:
            stopped.append(openssh.silent())
            stopped[0].__enter__()

    started = time.monotonic()
    with pytest.raises(ConnectionLost, match="silent"):
        client.download(remote, fetched, progress=stop)
    assert time.monotonic() - started < 5
    assert not fetched.exists()
    stopped[0].__exit__(None, None, None)
    assert client.download(remote, fetched).local.stat().st_size == BIG


def test_a_later_process_resumes(sandbox: SftpSandbox, root: Path, fetched: Path, connect: Connect) -> None:
    """Another process resumes a partial download: the part is hashed again, not fetched again."""
    sha256 = written(root / "inbox/a.csv", 1_000_000)
    client = connect(sandbox)
    (file,) = client.list_directory("/inbox")
    with pytest.raises(KeyboardInterrupt):
        client.download(file, fetched, progress=interrupt)
    assert names_in(fetched.parent) == ["a.csv.part", "a.csv.part.json"]
    left = fetched.with_name("a.csv.part").stat().st_size
    arrived: list[int] = []
    assert client.download(file, fetched, progress=arrived.append).sha256 == sha256
    assert 0 < left < arrived[0]


def interrupt(_arrived: int) -> None:
    """Interrupt as Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("damage", ["another file", "too long", "no side file", "damaged side file"])
def test_a_part_of_another_file_is_discarded(
    sandbox: SftpSandbox, root: Path, fetched: Path, connect: Connect, damage: str
) -> None:
    """A part whose size or time does not match the file is discarded."""
    sha256 = written(root / "inbox/a.csv", 500_000)
    client = connect(sandbox)
    (file,) = client.list_directory("/inbox")
    with pytest.raises(KeyboardInterrupt):
        client.download(file, fetched, progress=interrupt)
    part, side = fetched.with_name("a.csv.part"), fetched.with_name("a.csv.part.json")
    part.write_bytes(b"x" * (600_000 if damage == "too long" else 1000))
    if damage == "another file":
        side.write_text(side.read_text().replace("500000", "499999"))
    elif damage == "no side file":
        side.unlink()
    elif damage == "damaged side file":
        side.write_text("{")
    assert client.download(file, fetched).sha256 == sha256


@pytest.mark.parametrize("path", ["", "/", "/inbox/..", "/inbox/.", "/inbox/a\0b"])
def test_a_path_without_a_file_name_is_refused(
    sandbox: SftpSandbox, fetched: Path, connect: Connect, path: str
) -> None:
    """A path without a file name is refused before any call."""
    file = RemoteFile(modified_at=datetime(2026, 1, 1, tzinfo=UTC), path=path, size=1)
    with pytest.raises(RemoteNameRefused):
        connect(sandbox).download(file, fetched)
    assert sandbox.connections == 0


def test_a_plain_failure_is_retried_once(
    start_sandbox: StartSandbox, root: Path, fetched: Path, connect: Connect
) -> None:
    """The status "failure" is RemoteFailure after one retry."""
    written(root / "inbox/a.csv", 10)
    lines: list[str] = []
    client = connect(start_sandbox(sandbox_that_reads(lambda *_: sftp.SFTP_FAILURE)), log=lines.append)
    with pytest.raises(RemoteFailure, match=r"inbox/a\.csv"):
        client.download(client.list_directory("/inbox")[0], fetched)
    assert len(lines) == 1


def test_an_early_end_of_file_is_a_failure(
    start_sandbox: StartSandbox, root: Path, fetched: Path, connect: Connect
) -> None:
    """An end of file before the stated size is RemoteFailure, and no file appears."""
    written(root / "inbox/a.csv", 1_000_000)
    server = sandbox_that_reads(lambda file, offset, length: OpenFile.read(file, offset, length) if not offset else b"")
    client = connect(start_sandbox(server))
    with pytest.raises(RemoteFailure, match="of 1,000,000 bytes"):
        client.download(client.list_directory("/inbox")[0], fetched)
    assert not fetched.exists()
