"""Servers that refuse, change their files or drop the connection: no file lands partially."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paramiko
import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import (
    AuthenticationFailed,
    ConnectionLost,
    HostKeyRejected,
    RemotePathMissing,
)
from cdp_sync.model import ImportReport, SftpServer
from cdp_sync.sandbox.sftp import Login, SftpSandbox
from cdp_sync.sandbox.sftp_files import Files, OpenFile
from cdp_sync_tests.trail.importer import Importer, goal

PASSWORD = "correct horse"
LONG_AGO = 1_600_000_000


class Watched(SftpSandbox):
    """A server that counts the logins with a password."""

    logins = 0

    class login(Login):  # noqa: N801 - the sandbox's own name
        """The number of logins."""

        def check_auth_password(self, username: str, password: str) -> int:
            """Count, then decide."""
            assert isinstance(self.sandbox, Watched)
            self.sandbox.logins += 1
            return super().check_auth_password(username, password)


Serve = Callable[..., Watched]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """An exit stack that is closed at the end of the test."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def serve(tmp_path: Path, stack: ExitStack) -> Serve:
    """Starts a server over a folder with two files; methods of its files may be replaced."""
    inbox = tmp_path / "root" / "inbox"
    inbox.mkdir(parents=True)
    for number, name in enumerate(("a.csv", "b.csv")):
        (inbox / name).write_text(f"Email,Name\n{name[0]}@example.com,{name[0].upper()}\n")
        os.utime(inbox / name, (LONG_AGO + number, LONG_AGO + number))

    def started(**methods: Any) -> Watched:
        sandbox = Watched(tmp_path / "root", accounts={"shop": PASSWORD})
        sandbox.files = type("Served", (Files,), methods)
        return stack.enter_context(sandbox)

    return started


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """Imports names by e-mail address."""
    return Importer(tmp_path / "shop")


def fetch(importer: Importer, sandbox: SftpSandbox, *, password: str = PASSWORD, **declared: Any) -> ImportReport:
    """Import the server's files."""
    usual = {"host": sandbox.host, "port": sandbox.port, "username": "shop", "password_env": "PASSWORD"}
    server = SftpServer(**{**usual, "host_key": sandbox.fingerprint, **declared})
    with SftpClient(server, environ={"PASSWORD": password}, attempts=3, first_pause=0.01) as client:
        return importer.fetch(client)


def states(report: ImportReport) -> dict[str, str]:
    """Return the outcome of each file, by name."""
    return {Path(file.path).name: file.state for file in report.files}


def names_in(importer: Importer) -> dict[str, str]:
    """Return the imported names, or none before the first write."""
    if not importer.warehouse.path.exists():
        return {}
    return importer.column("first_name")


def check_all_lands(importer: Importer, sandbox: SftpSandbox) -> None:
    """Run again without faults; everything lands."""
    assert fetch(importer, sandbox).state == "success"
    assert names_in(importer) == {"a@example.com": "A", "b@example.com": "B"}


def test_a_wrong_password_is_tried_once(serve: Serve, importer: Importer) -> None:
    """A refused login is not retried, as that would lock the account. The password is not shown."""
    sandbox = serve()
    with pytest.raises(AuthenticationFailed) as failed:
        fetch(importer, sandbox, password="battery staple")
    assert (sandbox.logins, sandbox.connections) == (1, 1)
    assert "battery" not in str(failed.value)
    check_all_lands(importer, sandbox)


def test_a_wrong_host_key(serve: Serve, importer: Importer) -> None:
    """A server with another host key gets no password."""
    sandbox = serve()
    with pytest.raises(HostKeyRejected) as failed:
        fetch(importer, sandbox, host_key="SHA256:" + "A" * 43)
    assert sandbox.fingerprint in str(failed.value)
    assert sandbox.logins == 0
    check_all_lands(importer, sandbox)


def test_a_directory_that_does_not_exist(serve: Serve, importer: Importer) -> None:
    """A missing directory fails at once and is named."""
    importer.goal = goal(directory="/outbox")
    sandbox = serve()
    with pytest.raises(RemotePathMissing, match="/outbox"):
        fetch(importer, sandbox)
    assert sandbox.connections == 1
    importer.goal = goal()
    check_all_lands(importer, sandbox)


def opening(act: Callable[[Path], None]) -> Callable[..., paramiko.SFTPHandle | int]:
    """Return an `open` that calls a function before it opens a.csv."""

    def open_(files: Files, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        if path.endswith("a.csv"):
            try:
                act(files.local(path))
            except OSError as problem:
                return paramiko.SFTPServer.convert_errno(problem.errno or 0)
        handle: paramiko.SFTPHandle | int = Files.open(files, path, flags, attr)
        return handle

    return open_


def test_a_file_without_permission(serve: Serve, importer: Importer) -> None:
    """A file without read permission fails and is named; the others land."""

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "not for you")

    sandbox = serve(open=opening(refuse))
    report = fetch(importer, sandbox)
    assert states(report) == {"a.csv": "failed", "b.csv": "imported"}
    assert report.state == "failed"
    assert "/inbox/a.csv" in report.message
    assert names_in(importer) == {"b@example.com": "B"}
    sandbox.files = Files
    check_all_lands(importer, sandbox)


def test_a_file_that_vanishes(serve: Serve, importer: Importer) -> None:
    """A file that vanishes between listing and download is reported; the others land."""
    sandbox = serve(open=opening(lambda local: local.unlink()))
    report = fetch(importer, sandbox)
    assert (report.state, states(report)) == ("success", {"a.csv": "vanished", "b.csv": "imported"})
    assert names_in(importer) == {"b@example.com": "B"}


def test_a_file_that_grows_while_it_is_read(serve: Serve, importer: Importer) -> None:
    """A file that changes during the download waits for the next run, and nothing of it lands before."""

    def grow(local: Path) -> None:
        with local.open("a") as file:
            file.write("c@example.com,C\n")

    sandbox = serve(open=opening(grow))
    report = fetch(importer, sandbox)
    assert (report.state, states(report)) == ("success", {"a.csv": "changing", "b.csv": "imported"})
    assert names_in(importer) == {"b@example.com": "B"}
    sandbox.files = Files
    assert states(fetch(importer, sandbox)) == {"a.csv": "imported"}
    assert names_in(importer) == {f"{name}@example.com": name.upper() for name in "abc"}


def reading(act: Callable[[OpenFile, int, int], bytes | int]) -> Callable[..., paramiko.SFTPHandle]:
    """Return an `open` whose files read through a function."""
    opened = type("Opened", (OpenFile,), {"read": act})

    def open_(files: Files, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        handle: paramiko.SFTPHandle = opened(files.local(path), flags)
        return handle

    return open_


def test_a_server_that_drops_every_download(serve: Serve, importer: Importer) -> None:
    """A connection that drops repeatedly without progress fails, and nothing of the file lands."""
    sandbox = serve()

    def hang_up(file: OpenFile, offset: int, length: int) -> bytes:
        sandbox.hang_up()
        return b""

    sandbox.files = type("Served", (Files,), {"open": reading(hang_up)})
    with pytest.raises(ConnectionLost):
        fetch(importer, sandbox)
    assert names_in(importer) == {}
    sandbox.files = Files
    check_all_lands(importer, sandbox)


def test_a_server_that_drops_one_download(serve: Serve, importer: Importer) -> None:
    """After a drop during the download the file is opened again and lands whole, each row once."""
    sandbox = serve()
    big = "Email,Name\n" + "".join(f"p{number}@example.com,N{number}\n" for number in range(100_000))
    file = sandbox.root / "inbox" / "big.csv"
    file.write_text(big)
    os.utime(file, (LONG_AGO, LONG_AGO))
    dropped: list[int] = []

    def drop_once(handle: OpenFile, offset: int, length: int) -> bytes | int:
        if offset > 1 << 20 and not dropped:
            dropped.append(offset)
            sandbox.hang_up()
        return OpenFile.read(handle, offset, length)

    sandbox.files = type("Served", (Files,), {"open": reading(drop_once)})
    report = fetch(importer, sandbox)
    assert dropped
    assert (report.state, report.counters.rows_applied) == ("success", 100_002)
    assert importer.rows("select count(*), count(distinct email) from warehouse.profile") == [(100_002, 100_002)]


def test_names_outside_the_directory(serve: Serve, importer: Importer) -> None:
    """Names with `..` or slashes in a listing are ignored; the others land."""
    evil = ["../evil.csv", "/etc/passwd", "sub/evil.csv", "..", ".", ""]

    def list_folder(files: Files, path: str) -> list[paramiko.SFTPAttributes]:
        listed = Files.list_folder(files, path)
        assert isinstance(listed, list)
        for name in evil:
            more = paramiko.SFTPAttributes.from_stat((files.root / "inbox" / "a.csv").stat(), name)
            listed.append(more)
        return listed

    sandbox = serve(list_folder=list_folder)
    report = fetch(importer, sandbox)
    assert states(report) == {"a.csv": "imported", "b.csv": "imported"}
    assert not list(importer.folder.rglob("evil*"))


def test_unusual_names_are_valid(serve: Serve, importer: Importer) -> None:
    """Dots, spaces, quotes, percent signs and emoji in file names are valid, on disk and in the ledger."""
    names = ["..a..csv", "a b;'\"%s$x.csv", "{{ x }}.csv", "naïve 😀.csv", "-rf.csv", "a\\..\\b.csv"]
    sandbox = serve()
    for number, name in enumerate(names):
        file = sandbox.root / "inbox" / name
        file.write_text(f"Email,Name\nodd{number}@example.com,{number}\n")
        os.utime(file, (LONG_AGO, LONG_AGO))
    report = fetch(importer, sandbox)
    expected = {name for name in names if not name.startswith(".")} | {"a.csv", "b.csv"}
    assert {file.path for file in report.files} == {f"/inbox/{name}" for name in expected}
    assert report.state == "success"
    assert fetch(importer, sandbox).files == ()
