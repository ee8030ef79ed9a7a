"""Publishing a file atomically."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync.connectors.sftp.protocol.transfer import depth
from cdp_sync.errors import (
    AuthenticationFailed,
    FileChanged,
    RemoteNameRefused,
    RemoteNotAFile,
    RemotePathMissing,
    RemotePermissionDenied,
    Terminal,
)
from cdp_sync.model.goal import TEMPORARY_PREFIXES
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.connectors.conftest import Connect, StartOpenSsh
from cdp_sync_tests.connectors.files import names_in, written
from cdp_sync_tests.connectors.outbox import Outbox
from cdp_sync_tests.openssh import OpenSshServer

BLOCK = 255 << 10
"""The size of one write request."""
WINDOW = BLOCK * depth(BLOCK)
"""The maximum number of bytes in flight."""
BIG = 30_000_000
"""More than the client has in flight at any time."""


@pytest.mark.parametrize("size", [0, 1, 32768, BLOCK - 1, BLOCK, BLOCK + 1, WINDOW, WINDOW + 1, 2 * WINDOW, BIG])
def test_a_file_is_published_byte_for_byte(size: int, outbox: Outbox, local: Path, connect: Connect) -> None:
    """A file is published byte for byte, for sizes around every block size, without leftovers or log lines."""
    written(local, size)
    lines: list[str] = []
    confirmed: list[int] = []
    connect(outbox.server, log=lines.append).publish(local, outbox.path("a.csv"), progress=confirmed.append)
    assert (outbox.folder / "a.csv").read_bytes() == local.read_bytes()
    assert outbox.names == ["a.csv"]
    assert confirmed == sorted(confirmed)
    assert confirmed[-1:] == ([size] if size else [])
    assert lines == []


@pytest.mark.parametrize("size", [0, 10, BIG])
def test_a_file_is_replaced_atomically(size: int, outbox: Outbox, local: Path, connect: Connect) -> None:
    """A former file stands until the new one is complete, and imports ignore the temporary file."""
    target = outbox.folder / "a.csv"
    target.write_text("former")
    written(local, size)
    lines: list[str] = []

    def look(_confirmed: int) -> None:
        assert target.read_text() == "former"
        assert [name for name in outbox.names if not name.startswith(TEMPORARY_PREFIXES)] == ["a.csv"]

    connect(outbox.server, log=lines.append).publish(local, outbox.path("a.csv"), progress=look)
    assert target.read_bytes() == local.read_bytes()
    assert outbox.names == ["a.csv"]
    assert [line.partition(":")[0] for line in lines] == (
        [] if outbox.replaces else ["The server cannot replace a file in one step"]
    )


@pytest.mark.parametrize(
    "name",
    [
        "mit Leerzeichen.csv",
        "Kundenübersicht März.csv",
        "顧客.csv",
        "👍" * 60,
        "x" * 255,
        "-rf",
        ".hidden",
        "it's \"*\\?",
    ],
)
def test_names_are_unchanged(name: str, outbox: Outbox, local: Path, connect: Connect) -> None:
    """Names with spaces, any script, shell metacharacters or maximum length reach the server unchanged."""
    client = connect(outbox.server)
    for _ in range(2):
        client.publish(local, outbox.path(name))
        assert outbox.names == [name]
    assert (outbox.folder / name).read_bytes() == local.read_bytes()


@pytest.mark.parametrize(
    "path",
    ["", "/", "/inbox/", "/inbox/.", "/inbox/..", ".", "/inbox/a\0b", "/a\nb/c", "a\x7f", "\x85", "\udcff", "ä" * 128],
)
def test_an_unusable_name_is_refused(path: str, sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """A missing or too long name, a directory or a control character is refused before any call."""
    with pytest.raises(RemoteNameRefused):
        connect(sandbox).publish(local, path)
    assert sandbox.connections == 0


@pytest.mark.parametrize("path", ["a.csv", "/a.csv", "inbox/../a.csv"])
def test_a_path_is_relative_or_absolute(path: str, sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """A relative path begins at the login directory; an absolute path may begin at the root."""
    connect(sandbox).publish(local, path)
    assert names_in(sandbox.root) == ["a.csv", "inbox"]


def test_a_missing_directory_is_named(outbox: Outbox, local: Path, connect: Connect) -> None:
    """A missing directory is RemotePathMissing at once, and the connection stays open."""
    (outbox.folder / "file").touch()
    lines: list[str] = []
    client = connect(outbox.server, log=lines.append)
    for directory in ("nowhere", "file"):
        with pytest.raises(RemotePathMissing, match=rf"There is no '{outbox.path(directory)}' on"):
            client.publish(local, outbox.path(f"{directory}/a.csv"))
    client.publish(local, outbox.path("a.csv"))
    assert outbox.names == ["a.csv", "file"]
    assert lines == []
    assert getattr(outbox.server, "connections", 1) == 1


@pytest.mark.parametrize(("kind", "expected"), [("directory", "a directory"), ("pipe", "not a regular file")])
def test_only_a_file_is_replaced(kind: str, expected: str, outbox: Outbox, local: Path, connect: Connect) -> None:
    """A target that is no file is RemoteNotAFile before a byte is sent."""
    (outbox.folder / "a.csv").mkdir() if kind == "directory" else os.mkfifo(outbox.folder / "a.csv")
    confirmed: list[int] = []
    with pytest.raises(RemoteNotAFile, match=rf"a\.csv' is {expected}"):
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=confirmed.append)
    assert outbox.names == ["a.csv"]
    assert confirmed == []


def test_a_link_is_replaced_and_not_its_target(outbox: Outbox, local: Path, connect: Connect) -> None:
    """A link is replaced by the file, even a dangling one; its target is unchanged."""
    (outbox.folder / "other").write_text("other")
    client = connect(outbox.server)
    for leads_to in ("other", "nowhere"):
        (outbox.folder / "a.csv").unlink(missing_ok=True)
        (outbox.folder / "a.csv").symlink_to(leads_to)
        client.publish(local, outbox.path("a.csv"))
        assert not (outbox.folder / "a.csv").is_symlink()
    assert outbox.names == ["a.csv", "other"]
    assert (outbox.folder / "other").read_text() == "other"


def test_a_forbidden_directory_is_reported(sandbox: SftpSandbox, tmp_path: Path, local: Path, connect: Connect) -> None:
    """The status "permission denied" is RemotePermissionDenied, without a retry or leftovers."""
    (tmp_path / "outside").mkdir()
    (sandbox.root / "link").symlink_to(tmp_path / "outside")
    lines: list[str] = []
    with pytest.raises(RemotePermissionDenied, match="'webshop' must not"):
        connect(sandbox, log=lines.append).publish(local, "/link/a.csv")
    assert lines == []
    assert names_in(tmp_path / "outside") == []


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("limited", ["server", "account"])
def test_a_read_only_directory_is_reported(
    limited: str, public: Path, local: Path, start_openssh: StartOpenSsh, sftp_server: str, connect: Connect
) -> None:
    """A read-only server or account is RemotePermissionDenied, and the former file is unchanged."""
    (public / "a.csv").write_text("former")
    public.chmod(0o555)
    nobody = f"setpriv --reuid=65534 --clear-groups {sftp_server}" if os.geteuid() == 0 else sftp_server
    server = start_openssh(subsystem="internal-sftp -R" if limited == "server" else nobody)
    with pytest.raises(RemotePermissionDenied, match=rf"must not write to '{public}'.*write permission"):
        connect(server).publish(local, f"{public}/a.csv")
    assert names_in(public) == ["a.csv"]
    assert (public / "a.csv").read_text() == "former"


def test_extensions_are_optional(local: Path, start_openssh: StartOpenSsh, root: Path, connect: Connect) -> None:
    """A large file is published without the extensions limits, fsync, statvfs and posix-rename."""
    server = start_openssh(subsystem="internal-sftp -P limits,fsync,statvfs,posix-rename")
    written(local, BIG)
    client = connect(server)
    for _ in range(2):
        client.publish(local, str(root / "inbox/a.csv"))
    assert (root / "inbox/a.csv").read_bytes() == local.read_bytes()
    assert names_in(root / "inbox") == ["a.csv"]


def test_files_share_the_connection(sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """Several files are published and read over one connection."""
    client = connect(sandbox)
    for name in ("a.csv", "b.csv", "c.csv"):
        client.publish(local, f"/inbox/{name}")
        assert client.read_head(f"/inbox/{name}", 10) == local.read_bytes()[:10]
    assert [file.name for file in client.list_directory("/inbox")] == names_in(sandbox.root / "inbox")
    assert sandbox.connections == 1


@pytest.mark.parametrize("missing", [True, False])
def test_an_unreadable_local_file_is_named(
    missing: bool, openssh: OpenSshServer, root: Path, tmp_path: Path, connect: Connect
) -> None:
    """A missing local file, or a folder in its place, is a Terminal error with its name."""
    local = tmp_path / "nowhere.csv" if missing else tmp_path
    with pytest.raises(Terminal, match=rf"{local} cannot be read") as raised:
        connect(openssh).publish(local, str(root / "inbox/a.csv"))
    assert type(raised.value) is Terminal
    assert names_in(root / "inbox") == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is touched"])
def test_a_changing_local_file_is_not_published(change: str, outbox: Outbox, local: Path, connect: Connect) -> None:
    """A local file that changes during the upload is FileChanged; the former file is unchanged."""
    (outbox.folder / "a.csv").write_text("former")
    lines: list[str] = []

    def do_change(_confirmed: int) -> None:
        if change == "is touched":
            os.utime(local, (1, 1))
        else:
            os.truncate(local, 2_000_000 if change == "grows" else 10)

    with pytest.raises(FileChanged, match="changed while it was sent"):
        connect(outbox.server, log=lines.append).publish(local, outbox.path("a.csv"), progress=do_change)
    assert outbox.names == ["a.csv"]
    assert (outbox.folder / "a.csv").read_text() == "former"
    assert lines == []


def test_a_refused_login_is_not_repeated(sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """A wrong password is sent once: without an upload there is nothing to remove."""
    with pytest.raises(AuthenticationFailed):
        connect(sandbox, environ={"PASSWORD": "wrong"}).publish(local, "/inbox/a.csv")
    assert sandbox.refused_logins == 1
