"""Publishing files: whole, or not at all."""

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
"""What the client sends at a time."""
WINDOW = BLOCK * depth(BLOCK)
"""What the client has under way at most."""
BIG = 30_000_000
"""More than the client ever has under way."""


@pytest.mark.parametrize("size", [0, 1, 32768, BLOCK - 1, BLOCK, BLOCK + 1, WINDOW, WINDOW + 1, 2 * WINDOW, BIG])
def test_what_is_published_is_what_was_given(size: int, outbox: Outbox, local: Path, connect: Connect) -> None:
    """Byte for byte, for sizes around every block, with nothing beside the file and nothing to tell."""
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
def test_a_file_is_replaced_by_a_complete_one(size: int, outbox: Outbox, local: Path, connect: Connect) -> None:
    """Until the new file is complete the former one stands, and what is on its way passes for no file to be read."""
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
def test_names_are_taken_as_they_are(name: str, outbox: Outbox, local: Path, connect: Connect) -> None:
    """Spaces, letters of any script, signs that shells know and the longest names reach the server unchanged."""
    client = connect(outbox.server)
    for _ in range(2):
        client.publish(local, outbox.path(name))
        assert outbox.names == [name]
    assert (outbox.folder / name).read_bytes() == local.read_bytes()


@pytest.mark.parametrize(
    "path",
    ["", "/", "/inbox/", "/inbox/.", "/inbox/..", ".", "/inbox/a\0b", "/a\nb/c", "a\x7f", "\x85", "\udcff", "ä" * 128],
)
def test_a_path_without_a_usable_name_is_refused(
    path: str, sandbox: SftpSandbox, local: Path, connect: Connect
) -> None:
    """No name, that of a directory, control characters and names too long are refused before anybody is asked."""
    with pytest.raises(RemoteNameRefused):
        connect(sandbox).publish(local, path)
    assert sandbox.connections == 0


@pytest.mark.parametrize("path", ["a.csv", "/a.csv", "inbox/../a.csv"])
def test_a_path_may_start_anywhere(path: str, sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """Without a directory a path begins where the account logs in; at the root it works as anywhere."""
    connect(sandbox).publish(local, path)
    assert names_in(sandbox.root) == ["a.csv", "inbox"]


def test_a_missing_directory_is_named(outbox: Outbox, local: Path, connect: Connect) -> None:
    """RemotePathMissing names the directory, at once, and the connection lives on."""
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
def test_what_is_no_file_is_not_replaced(
    kind: str, expected: str, outbox: Outbox, local: Path, connect: Connect
) -> None:
    """RemoteNotAFile says what has the name, before a byte is sent."""
    (outbox.folder / "a.csv").mkdir() if kind == "directory" else os.mkfifo(outbox.folder / "a.csv")
    confirmed: list[int] = []
    with pytest.raises(RemoteNotAFile, match=rf"a\.csv' is {expected}"):
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=confirmed.append)
    assert outbox.names == ["a.csv"]
    assert confirmed == []


def test_a_link_is_replaced_and_not_what_it_leads_to(outbox: Outbox, local: Path, connect: Connect) -> None:
    """Where a link has the name, also one that leads nowhere, the file takes the link's place."""
    (outbox.folder / "other").write_text("other")
    client = connect(outbox.server)
    for leads_to in ("other", "nowhere"):
        (outbox.folder / "a.csv").unlink(missing_ok=True)
        (outbox.folder / "a.csv").symlink_to(leads_to)
        client.publish(local, outbox.path("a.csv"))
        assert not (outbox.folder / "a.csv").is_symlink()
    assert outbox.names == ["a.csv", "other"]
    assert (outbox.folder / "other").read_text() == "other"


def test_a_directory_outside_is_forbidden(sandbox: SftpSandbox, tmp_path: Path, local: Path, connect: Connect) -> None:
    """The status "permission denied" is RemotePermissionDenied, not tried again and with nothing left."""
    (tmp_path / "outside").mkdir()
    (sandbox.root / "link").symlink_to(tmp_path / "outside")
    lines: list[str] = []
    with pytest.raises(RemotePermissionDenied, match="'webshop' must not"):
        connect(sandbox, log=lines.append).publish(local, "/link/a.csv")
    assert lines == []
    assert names_in(tmp_path / "outside") == []


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("limited", ["server", "account"])
def test_a_read_only_directory_is_reported(
    limited: str, public: Path, local: Path, start_openssh: StartOpenSsh, sftp_server: str, connect: Connect
) -> None:
    """A server or an account that must only read is RemotePermissionDenied; the former file stays, and alone."""
    (public / "a.csv").write_text("former")
    public.chmod(0o555)
    nobody = f"setpriv --reuid=65534 --clear-groups {sftp_server}" if os.geteuid() == 0 else sftp_server
    server = start_openssh(subsystem="internal-sftp -R" if limited == "server" else nobody)
    with pytest.raises(RemotePermissionDenied, match=rf"must not write to '{public}'.*write permission"):
        connect(server).publish(local, f"{public}/a.csv")
    assert names_in(public) == ["a.csv"]
    assert (public / "a.csv").read_text() == "former"


def test_a_server_without_extensions_is_served(
    local: Path, start_openssh: StartOpenSsh, root: Path, connect: Connect
) -> None:
    """Without limits, fsync, statvfs and posix-rename a file of many requests is published all the same."""
    server = start_openssh(subsystem="internal-sftp -P limits,fsync,statvfs,posix-rename")
    written(local, BIG)
    client = connect(server)
    for _ in range(2):
        client.publish(local, str(root / "inbox/a.csv"))
    assert (root / "inbox/a.csv").read_bytes() == local.read_bytes()
    assert names_in(root / "inbox") == ["a.csv"]


def test_files_share_a_connection(sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """One after the other, read again in between, over one connection."""
    client = connect(sandbox)
    for name in ("a.csv", "b.csv", "c.csv"):
        client.publish(local, f"/inbox/{name}")
        assert client.read_head(f"/inbox/{name}", 10) == local.read_bytes()[:10]
    assert [file.name for file in client.list_directory("/inbox")] == names_in(sandbox.root / "inbox")
    assert sandbox.connections == 1


@pytest.mark.parametrize("missing", [True, False])
def test_a_local_file_that_cannot_be_read_is_named(
    missing: bool, openssh: OpenSshServer, root: Path, tmp_path: Path, connect: Connect
) -> None:
    """A local file that is not there, or is a folder, is Terminal and names it; nothing is begun."""
    local = tmp_path / "nowhere.csv" if missing else tmp_path
    with pytest.raises(Terminal, match=rf"{local} cannot be read") as raised:
        connect(openssh).publish(local, str(root / "inbox/a.csv"))
    assert type(raised.value) is Terminal
    assert names_in(root / "inbox") == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is touched"])
def test_a_local_file_that_changes_is_not_published(change: str, outbox: Outbox, local: Path, connect: Connect) -> None:
    """FileChanged, at once; the former file stays and nothing beside it."""
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


def test_a_refused_login_is_not_repeated_to_tidy_up(sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """Where nothing was begun there is nothing to tidy up, and a wrong password is shown once only."""
    with pytest.raises(AuthenticationFailed):
        connect(sandbox, environ={"PASSWORD": "wrong"}).publish(local, "/inbox/a.csv")
    assert sandbox.refused_logins == 1
