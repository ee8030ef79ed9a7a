"""The SFTP sandbox: logins, operations, and confinement to its folder."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from paramiko import sftp

from cdp_sync.sandbox.sftp import SftpSandbox, main

PASSWORD = "correct horse"  # of a server that lives for one test


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The served folder."""
    (tmp_path / "root" / "inbox").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "root"


@pytest.fixture
def sandbox(root: Path) -> Iterator[SftpSandbox]:
    """A sandbox with two accounts."""
    with SftpSandbox(root, accounts={"webshop": PASSWORD, "other": "other"}) as running:
        yield running


@contextmanager
def client_of(port: int, username: str = "webshop", password: str = PASSWORD) -> Iterator[paramiko.SFTPClient]:
    """Connect with paramiko's own client."""
    transport = paramiko.Transport(("127.0.0.1", port))
    try:
        transport.connect(username=username, password=password)
        opened = paramiko.SFTPClient.from_transport(transport)
        assert opened is not None
        yield opened
    finally:
        transport.close()


@pytest.fixture
def client(sandbox: SftpSandbox) -> Iterator[paramiko.SFTPClient]:
    """A client that is logged in."""
    with client_of(sandbox.port) as connected:
        yield connected


def test_a_file_is_written_and_read(client: paramiko.SFTPClient, root: Path, tmp_path: Path) -> None:
    """A written file is stored and read back unchanged, beyond any block size."""
    (tmp_path / "up").write_bytes(os.urandom(3_000_001))
    client.put(str(tmp_path / "up"), "/inbox/a.csv")
    client.get("/inbox/a.csv", str(tmp_path / "down"))
    assert (root / "inbox/a.csv").read_bytes() == (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()


def test_offsets_beyond_four_gigabytes_work(client: paramiko.SFTPClient, root: Path) -> None:
    """Offsets beyond 32 bits work."""
    with (root / "big").open("wb") as file:
        file.truncate(5 << 30)
        file.seek(5 << 30)
        file.write(b"end")
    with client.open("/big") as remote:
        remote.seek(5 << 30)
        assert remote.read() == b"end"
    assert client.stat("/big").st_size == (5 << 30) + 3


def test_rename_never_overwrites_and_posix_rename_does(client: paramiko.SFTPClient, root: Path) -> None:
    """The two ways to rename behave as in OpenSSH."""
    (root / "new").write_text("new")
    (root / "old").write_text("old")
    with pytest.raises(OSError, match="Failure"):
        client.rename("/new", "/old")
    client.posix_rename("/new", "/old")
    assert (root / "old").read_text() == "new"
    client.rename("/old", "/free")
    assert not (root / "old").exists()
    assert (root / "free").read_text() == "new"


def test_posix_rename_can_be_left_out(root: Path) -> None:
    """With --without-posix-rename a file can be renamed to a free name only."""
    (root / "new").write_text("new")
    with process(root, "--without-posix-rename") as (_, ready), client_of(int(str(ready["port"]))) as client:
        with pytest.raises(OSError, match="unsupported"):
            client.posix_rename("/new", "/free")
        client.rename("/new", "/free")


def test_an_open_file_is_synced(client: paramiko.SFTPClient) -> None:
    """`fsync@openssh.com` works on an open file only."""
    with client.open("/inbox/a.csv", "w") as file:
        client._request(sftp.CMD_EXTENDED, "fsync@openssh.com", file.handle)  # type: ignore[attr-defined]
    for handle in ("nonsense", file.handle):
        with pytest.raises(OSError, match="Bad message"):
            client._request(sftp.CMD_EXTENDED, "fsync@openssh.com", handle)  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="unsupported"):
        client._request(sftp.CMD_EXTENDED, "nonsense@openssh.com")  # type: ignore[attr-defined]


def test_folders_and_files_are_created_and_removed(client: paramiko.SFTPClient, root: Path) -> None:
    """mkdir, rmdir, remove and utime work; a missing file has its own error."""
    client.mkdir("/inbox/done")
    assert (root / "inbox/done").is_dir()
    client.rmdir("/inbox/done")
    client.open("/inbox/a.csv", "w").close()
    client.utime("/inbox/a.csv", (1, 1_700_000_000))
    assert (root / "inbox/a.csv").stat().st_mtime == 1_700_000_000
    client.remove("/inbox/a.csv")
    with pytest.raises(FileNotFoundError):
        client.stat("/inbox/a.csv")


def test_a_listing_has_sizes_and_kinds(client: paramiko.SFTPClient, root: Path) -> None:
    """Entries have their attributes, and links are links."""
    (root / "inbox/a.csv").write_bytes(b"123")
    (root / "inbox/link").symlink_to("a.csv")
    entries = {entry.filename: entry for entry in client.listdir_attr("/inbox")}
    assert entries["a.csv"].st_size == 3
    assert str(entries["link"]).startswith("l")
    assert client.stat("/inbox/link").st_size == 3


ESCAPES = ["/../secret", "../secret", "/inbox/../../secret", "/inbox/../../../../../../../etc/passwd", "//../secret"]


@pytest.mark.parametrize("path", ESCAPES)
def test_dots_stay_inside_the_root(client: paramiko.SFTPClient, path: str) -> None:
    """`..` at the root is the root."""
    for attempt in (client.stat, client.lstat, client.open, client.listdir, client.remove):
        with pytest.raises(FileNotFoundError):
            attempt(path)
    assert client.normalize(path).count("..") == 0


def test_links_stay_inside_the_root(client: paramiko.SFTPClient, root: Path, tmp_path: Path) -> None:
    """A link out of the root is "permission denied", also as a folder within a path."""
    (root / "file").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "relative").symlink_to("../secret")
    for path in ("/file", "/folder", "/relative", "/folder/secret"):
        for attempt in (client.stat, client.open, client.listdir):
            with pytest.raises(PermissionError):
                attempt(path)
    for change in (client.remove, client.rmdir, client.lstat, client.mkdir):
        with pytest.raises(PermissionError):
            change("/folder/secret")
    with pytest.raises(PermissionError):
        client.open("/folder/new", "w")
    with pytest.raises(PermissionError):
        client.rename("/inbox", "/folder/inbox")
    assert (tmp_path / "secret").read_text() == "secret"


def test_links_cannot_be_created(client: paramiko.SFTPClient, root: Path) -> None:
    """A client cannot create a link."""
    with pytest.raises(OSError, match="unsupported"):
        client.symlink("/etc/passwd", "/inbox/link")
    assert list((root / "inbox").iterdir()) == []


def test_accounts_have_their_own_passwords(sandbox: SftpSandbox) -> None:
    """Each account has its own password; wrong ones are counted."""
    with client_of(sandbox.port, "other", "other") as connected:
        assert connected.listdir("/") == ["inbox"]
    for username, password in [("webshop", "other"), ("nobody", PASSWORD), ("webshop", "")]:
        with pytest.raises(paramiko.AuthenticationException), client_of(sandbox.port, username, password):
            pass
    assert sandbox.refused_logins == 3


def test_it_listens_on_loopback_only(sandbox: SftpSandbox) -> None:
    """The server listens on loopback only."""
    assert vars(sandbox)["_listener"].getsockname() == ("127.0.0.1", sandbox.port)


def test_many_connections_at_once(sandbox: SftpSandbox, root: Path) -> None:
    """Connections do not wait for each other."""
    (root / "inbox/a.csv").write_text("a")
    gate = threading.Barrier(8)
    seen: list[list[str]] = []

    def look() -> None:
        with client_of(sandbox.port) as connected:
            gate.wait(20)
            seen.append(connected.listdir("/inbox"))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [["a.csv"]] * 8


def test_leaving_disconnects_the_clients(root: Path) -> None:
    """After the block the port is free and clients are disconnected."""
    with SftpSandbox(root, accounts={"webshop": PASSWORD}) as first, client_of(first.port) as connected:
        first.__exit__(None, None, None)
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            connected.listdir("/")
    with SftpSandbox(root, accounts={"webshop": PASSWORD}, port=first.port) as second:
        assert second.port == first.port


def test_the_host_key_is_new_or_stored(root: Path, tmp_path: Path) -> None:
    """Each start has a new host key, unless a file stores it, which only its owner may read."""
    fresh = [SftpSandbox(root, accounts={}).fingerprint for _ in range(2)]
    kept = [SftpSandbox(root, accounts={}, host_key_file=tmp_path / "key").fingerprint for _ in range(2)]
    assert len({*fresh, *kept}) == 3
    assert kept[0] == kept[1]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@contextmanager
def process(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """Start the sandbox as a process and read its first line."""
    command = [sys.executable, "-m", "cdp_sync.sandbox.sftp", "--root", str(root), "--account", "webshop=SFTP_PASSWORD"]
    environ = {**os.environ, "SFTP_PASSWORD": PASSWORD}
    running = subprocess.Popen(
        [*command, *options], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        yield running, json.loads(running.stdout.readline())
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_process_serves_until_a_signal(root: Path, tmp_path: Path, end: signal.Signals) -> None:
    """The process prints host, port and fingerprint, writes known_hosts, and ends with status 0 on a signal."""
    with process(root, "--known-hosts", str(tmp_path / "known_hosts")) as (running, ready):
        port = int(str(ready["port"]))
        assert ready["host"] == "127.0.0.1"
        with client_of(port) as connected:
            assert connected.listdir("/") == ["inbox"]
            transport = connected.get_channel().get_transport()  # type: ignore[union-attr]
            assert transport.get_remote_server_key().fingerprint == ready["fingerprint"]
        assert (tmp_path / "known_hosts").read_text().startswith(f"[127.0.0.1]:{port} ssh-ed25519 ")
        running.send_signal(end)
        assert running.wait(10) == 0


def test_a_process_ends_with_its_input(root: Path) -> None:
    """With --until-stdin-closes the process ends with its parent."""
    with process(root, "--until-stdin-closes") as (running, _):
        assert running.stdin is not None
        running.stdin.close()
        running.stdin = None
        assert running.wait(10) == 0


@pytest.mark.parametrize("account", ["webshop", "=PATH", "webshop=NOT_SET"])
def test_an_account_needs_a_password(root: Path, account: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An account without user, or without a set variable, is status 2 with a message."""
    with pytest.raises(SystemExit) as ended:
        main(["--root", str(root), "--account", account])
    assert ended.value.code == 2
    assert "is not USER=ENVVAR" in capsys.readouterr().err
