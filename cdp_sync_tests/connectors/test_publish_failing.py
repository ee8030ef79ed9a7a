"""Publishing when the connection, the server or its disk fails: the former file stays, without leftovers."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest
from paramiko import sftp

from cdp_sync.errors import ConnectionLost, RemoteDiskFull, RemoteFailure, RemoteSizeDiffers, ServerUnreachable
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files, OpenFile
from cdp_sync_tests.connectors.conftest import PASSWORD, Connect, StartOpenSsh, StartSandbox
from cdp_sync_tests.connectors.files import names_in, sandbox_of, sandbox_that_writes, written
from cdp_sync_tests.connectors.outbox import Outbox
from cdp_sync_tests.openssh import OpenSshServer

BIG = 30_000_000
"""More than the client and the socket buffers hold in flight."""


@pytest.fixture
def target(root: Path) -> Path:
    """A file to be replaced, alone in its folder."""
    (root / "inbox/a.csv").write_text("former")
    return root / "inbox/a.csv"


def assert_former(target: Path) -> None:
    """Assert that the folder holds the former file alone."""
    assert target.read_text() == "former"
    assert names_in(target.parent) == ["a.csv"]


def assert_published(target: Path, local: Path) -> None:
    """Assert that the folder holds the new file alone."""
    assert target.read_bytes() == local.read_bytes()
    assert names_in(target.parent) == ["a.csv"]


class ActionAt:
    """Calls an action once per attempt at a number of confirmed bytes, while the former file must stand."""

    def __init__(self, action: Callable[[], object], at: list[int], target: Path) -> None:
        self._action = action
        self._at = iter(at)
        self._target = target
        self._next = 0
        self._reached = BIG
        self.actions = 0

    def __call__(self, confirmed: int) -> None:
        """Receive the progress."""
        assert self._target.read_text() == "former"
        if confirmed <= self._reached:  # another attempt; bytes in flight may be confirmed after the action
            self._next = next(self._at, 2 * BIG)
        self._reached = confirmed
        if confirmed >= self._next:
            self._next = 2 * BIG
            self.actions += 1
            self._action()


def hang_up(outbox: Outbox) -> None:
    """Drop all connections of a server of either kind."""
    if isinstance(outbox.server, SftpSandbox):
        outbox.server.hang_up()
    else:
        outbox.server.kill_sessions()


def test_a_dropped_connection_is_followed_by_another_attempt(
    outbox: Outbox, target: Path, local: Path, connect: Connect
) -> None:
    """After a dropped connection the whole file is sent again, and parts of earlier attempts are removed."""
    written(local, BIG)
    lines: list[str] = []
    cut = ActionAt(lambda: hang_up(outbox), [1, BIG // 3, BIG // 2, BIG], target)
    connect(outbox.server, log=lines.append).publish(local, outbox.path("a.csv"), progress=cut)
    assert_published(target, local)
    assert cut.actions == len([line for line in lines if "Attempt" in line]) == 4


def test_the_last_attempt_raises_connection_lost(outbox: Outbox, target: Path, local: Path, connect: Connect) -> None:
    """The last attempt raises ConnectionLost, and a new connection removes the leftovers."""
    written(local, BIG)
    cut = ActionAt(lambda: hang_up(outbox), [BIG // 3, BIG // 2, BIG // 3], target)
    with pytest.raises(ConnectionLost):
        connect(outbox.server, attempts=3).publish(local, outbox.path("a.csv"), progress=cut)
    assert cut.actions == 3
    assert_former(target)


def test_an_interrupted_upload_leaves_nothing(outbox: Outbox, target: Path, local: Path, connect: Connect) -> None:
    """An interrupted upload raises KeyboardInterrupt and removes its part."""
    with pytest.raises(KeyboardInterrupt):
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=interrupt)
    assert_former(target)


def interrupt(_confirmed: int) -> None:
    """Interrupt as Ctrl-C does."""
    raise KeyboardInterrupt


def test_a_restarted_server_gets_the_whole_file(
    root: Path, tmp_path: Path, target: Path, local: Path, connect: Connect, stack: ExitStack
) -> None:
    """A server that is killed and restarted during an upload gets the whole file and keeps no part."""
    options = {"accounts": {"webshop": PASSWORD}, "host_key_file": tmp_path / "key"}
    first = SftpSandbox(root, **options)  # type: ignore[arg-type]  # keywords of several types
    lines: list[str] = []

    def start_again(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            assert [name[-5:] for name in names_in(target.parent)] == [".part", "a.csv"]
            stack.enter_context(SftpSandbox(root, port=first.port, **options))  # type: ignore[arg-type]

    written(local, BIG)
    with first:
        cut = ActionAt(lambda: first.__exit__(None, None, None), [BIG // 3], target)
        connect(first, log=start_again).publish(local, "/inbox/a.csv", progress=cut)
    assert_published(target, local)
    assert [bool(re.search("dropped|hung up", lines[0])), "could not be reached" in lines[1]] == [True, True]


def test_leftovers_are_named(sandbox: SftpSandbox, target: Path, local: Path, connect: Connect) -> None:
    """When the server stays away, the log names the possible leftovers."""
    lines: list[str] = []
    cut = ActionAt(lambda: sandbox.__exit__(None, None, None), [1], target)
    with pytest.raises(ServerUnreachable):
        connect(sandbox, attempts=2, log=lines.append).publish(local, "/inbox/a.csv", progress=cut)
    left = names_in(target.parent)
    assert [re.sub("[0-9a-f]{16}", "*", name) for name in left] == [".a.csv.*.part", "a.csv"]
    assert lines[-1].startswith(f"On the server may be left: /inbox/{left[0]}. ")
    assert target.read_text() == "former"


@pytest.mark.parametrize("deaf", [False, True])
def test_a_stalled_server_is_noticed(
    deaf: bool, openssh: OpenSshServer, target: Path, local: Path, connect: Connect, stack: ExitStack
) -> None:
    """A server that stalls during a file is ConnectionLost soon after `read_timeout`, without leftovers.

    One that does not answer newcomers either cannot be tidied up; that is given up as soon.
    """
    written(local, BIG)
    silence = ExitStack()
    lines: list[str] = []
    cut = ActionAt(lambda: silence.enter_context(openssh.silent(also_to_newcomers=deaf)), [BIG // 3], target)
    client = connect(openssh, read_timeout=1, connect_timeout=1, attempts=1, log=lines.append)
    started = time.monotonic()
    with silence:
        with pytest.raises(ConnectionLost, match="fell silent: not a byte for 1 s"):
            client.publish(local, str(target), progress=cut)
        assert time.monotonic() - started < 15
        assert len(names_in(target.parent)) == (2 if deaf else 1)
        assert len(lines) == (1 if deaf else 0)
    assert target.read_text() == "former"
    client.publish(local, str(target))
    assert target.read_bytes() == local.read_bytes()


def test_a_server_without_confirmations_is_noticed(
    start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect, stack: ExitStack
) -> None:
    """A server that confirms nothing is ConnectionLost."""
    released = threading.Event()
    stack.callback(released.set)

    def wait(file: OpenFile, offset: int, data: bytes) -> int:
        released.wait(60)
        return OpenFile.write(file, offset, data)

    server = start_sandbox(sandbox_that_writes(wait))
    with pytest.raises(ConnectionLost, match="fell silent"):
        connect(server, read_timeout=1, attempts=1).publish(local, "/inbox/a.csv")
    assert_former(target)


class DroppingAfterRename(Files):
    """Drops the connection after a rename, before the answer, a given number of times."""

    times = 1
    opened = 0

    def __init__(self, server: paramiko.ServerInterface, root: Path) -> None:
        super().__init__(server, root)
        self._sandbox: SftpSandbox = server.sandbox  # type: ignore[attr-defined]

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        """Open a file and count."""
        type(self).opened += 1
        return super().open(path, flags, attr)

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename, then drop the connection while the count lasts."""
        return self._lost(super().rename(oldpath, newpath))

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename, then drop the connection while the count lasts."""
        return self._lost(super().posix_rename(oldpath, newpath))

    def _lost(self, status: int) -> int:
        if status == sftp.SFTP_OK and type(self).times > 0:
            type(self).times -= 1
            self._sandbox.hang_up()
        return status


@pytest.fixture
def dropping() -> type[DroppingAfterRename]:
    """A new class for each test, as its counters are class attributes."""
    return type("Losing", (DroppingAfterRename,), {})


@pytest.mark.parametrize("attempts", [1, 5])
@pytest.mark.parametrize("replaces", [True, False])
def test_a_lost_answer_to_the_rename_is_no_failure(
    replaces: bool,
    attempts: int,
    dropping: type[DroppingAfterRename],
    start_sandbox: StartSandbox,
    local: Path,
    connect: Connect,
) -> None:
    """When the answer to the rename is lost, the file counts as published, is logged and is not sent again."""
    lines: list[str] = []
    server = start_sandbox(sandbox_of(dropping), posix_rename=replaces)
    connect(server, attempts=attempts, log=lines.append).publish(local, "/inbox/a.csv")
    assert_published(server.root / "inbox/a.csv", local)
    assert dropping.opened == 1
    assert lines[-1] == "'/inbox/a.csv' is in place; only the server's answer was lost."


def test_a_lost_answer_to_the_replacement_is_no_failure(
    dropping: type[DroppingAfterRename], start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """The same applies when a former file is replaced."""
    connect(start_sandbox(sandbox_of(dropping)), attempts=1).publish(local, "/inbox/a.csv")
    assert_published(target, local)
    assert dropping.opened == 1


class Stopping(Files):
    """Stops for good while the new file is verified or the former one is removed."""

    gone_at = ""

    def __init__(self, server: paramiko.ServerInterface, root: Path) -> None:
        super().__init__(server, root)
        self._sandbox: SftpSandbox = server.sandbox  # type: ignore[attr-defined]

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Return the attributes of a path."""
        if self.gone_at == "look" and (self.root / "inbox/a.csv").stat().st_size == 1_000_000:
            self._sandbox.__exit__(None, None, None)
        return super().stat(path)

    def remove(self, path: str) -> int:
        """Remove a file."""
        if self.gone_at == "remove":
            self._sandbox.__exit__(None, None, None)
            return sftp.SFTP_FAILURE
        return super().remove(path)


@pytest.mark.parametrize(("gone_at", "posix_rename"), [("look", True), ("remove", False)])
def test_a_confirmed_rename_is_final(
    gone_at: str, posix_rename: bool, start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """After the confirmed rename a lost connection is no failure; the leftovers are named."""
    files = type("Files", (Stopping,), {"gone_at": gone_at})
    lines: list[str] = []
    server = start_sandbox(sandbox_of(files), posix_rename=posix_rename)
    connect(server, attempts=2, log=lines.append).publish(local, "/inbox/a.csv")
    assert target.read_bytes() == local.read_bytes()
    left = [f"/inbox/{name}" for name in names_in(target.parent) if name != "a.csv"]
    assert len(left) == (gone_at == "remove")
    assert [line.partition(". ")[0] for line in lines if "may be left" in line] == [
        f"On the server may be left: {path}" for path in left
    ]


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_a_connection_that_drops_between_the_renames(
    times: int,
    dropping: type[DroppingAfterRename],
    start_sandbox: StartSandbox,
    target: Path,
    local: Path,
    connect: Connect,
) -> None:
    """A connection that drops at any step ends in the new file alone."""
    dropping.times = times
    server = start_sandbox(sandbox_of(dropping), posix_rename=False)
    connect(server, attempts=10).publish(local, "/inbox/a.csv")
    assert_published(target, local)


def test_the_former_file_is_restored_over_a_new_connection(
    dropping: type[DroppingAfterRename], start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """When the connection drops after the former file was renamed, a new connection restores it."""
    server = start_sandbox(sandbox_of(dropping), posix_rename=False)
    with pytest.raises(ConnectionLost):
        connect(server, attempts=1).publish(local, "/inbox/a.csv")
    assert_former(target)


class RefusingRename(Files):
    """Refuses to rename a new file to the name of a former one."""

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename, except for the final step."""
        return sftp.SFTP_FAILURE if oldpath.endswith(".part") else super().rename(oldpath, newpath)


def test_the_former_file_is_restored_after_a_refused_rename(
    start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """When the second rename fails, the first is undone at once, and the log has the temporary name."""
    lines: list[str] = []
    server = start_sandbox(sandbox_of(RefusingRename), posix_rename=False)
    with pytest.raises(RemoteFailure, match=r"failed on '/inbox/a\.csv'"):
        connect(server, log=lines.append).publish(local, "/inbox/a.csv")
    assert_former(target)
    asides = [line for line in lines if re.search(r"is '/inbox/\.a\.csv\.[0-9a-f]{16}\.old' for a moment", line)]
    assert len(asides) == 2


class RefusingRemoval(Files):
    """Refuses every removal."""

    def remove(self, path: str) -> int:
        """Refuse the removal."""
        return sftp.SFTP_PERMISSION_DENIED


def test_a_former_file_that_stays_is_named(
    start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """A former file that cannot be removed is named in the log; the new one is published."""
    lines: list[str] = []
    server = start_sandbox(sandbox_of(RefusingRemoval), posix_rename=False)
    connect(server, log=lines.append).publish(local, "/inbox/a.csv")
    assert target.read_bytes() == local.read_bytes()
    (left,) = [name for name in names_in(target.parent) if name != "a.csv"]
    assert (target.parent / left).read_text() == "former"
    assert lines[-1].startswith(f"'/inbox/{left}' stays on the server: 'webshop' must not remove ")


class FetchingAtOnce(Files):
    """Fetches and removes every file as soon as it is renamed, as some receivers do."""

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename, then remove the file."""
        status: int = super().posix_rename(oldpath, newpath)
        self.local(newpath).unlink()
        return status


def test_a_file_that_is_fetched_at_once_counts_as_published(
    start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """A file that is gone at verification was published, and is not sent again."""
    lines: list[str] = []
    connect(start_sandbox(sandbox_of(FetchingAtOnce)), log=lines.append).publish(local, "/inbox/a.csv")
    assert names_in(target.parent) == []
    assert lines == ["'/inbox/a.csv' was published and is gone again: somebody has fetched it already."]


def files_with(change: Callable[[str, paramiko.SFTPAttributes], None]) -> type[Files]:
    """Return a class of files whose attributes are changed before they are sent."""

    def stat(files: Files, path: str) -> paramiko.SFTPAttributes | int:
        attributes = Files.stat(files, path)
        if isinstance(attributes, paramiko.SFTPAttributes):
            change(path, attributes)
        return attributes

    return type("Telling", (Files,), {"stat": stat})


def grow(attributes: paramiko.SFTPAttributes) -> None:
    """Report a file as one byte larger."""
    attributes.st_size = (attributes.st_size or 0) + 1


def test_a_different_size_is_reported(start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect) -> None:
    """A size that differs from the confirmed bytes is RemoteSizeDiffers after one retry."""
    lines: list[str] = []
    server = start_sandbox(
        sandbox_of(files_with(lambda path, attributes: grow(attributes) if path.endswith(".part") else None))
    )
    with pytest.raises(RemoteSizeDiffers, match=r"confirmed the 1000000 bytes .* then holds 1000001"):
        connect(server, log=lines.append).publish(local, "/inbox/a.csv")
    assert_former(target)
    assert len(lines) == 1


def test_a_different_size_after_the_rename_is_reported(
    start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """The size is verified again after the rename."""
    server = start_sandbox(
        sandbox_of(files_with(lambda path, attributes: grow(attributes) if path.endswith("a.csv") else None))
    )
    with pytest.raises(RemoteSizeDiffers):
        connect(server).publish(local, "/inbox/a.csv")
    assert_published(target, local)


def remove_attributes(_path: str, attributes: paramiko.SFTPAttributes) -> None:
    """Remove all attributes."""
    attributes.st_size = attributes.st_mode = attributes.st_mtime = attributes.st_atime = None


def test_attributes_are_optional(start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect) -> None:
    """Attributes are optional: without a size there is nothing to compare."""
    connect(start_sandbox(sandbox_of(files_with(remove_attributes)))).publish(local, "/inbox/a.csv")
    assert_published(target, local)


def test_a_plain_failure_is_retried_once(
    start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """The status "failure" to anything but a write is RemoteFailure after one retry."""
    refusing = type("Refusing", (Files,), {"open": lambda *_: sftp.SFTP_FAILURE})
    lines: list[str] = []
    with pytest.raises(RemoteFailure):
        connect(start_sandbox(sandbox_of(refusing)), log=lines.append).publish(local, "/inbox/a.csv")
    assert len(lines) == 1
    assert_former(target)


@pytest.mark.parametrize("room", [0, 500_000])
def test_a_failing_write_is_remote_disk_full(
    room: int, start_sandbox: StartSandbox, target: Path, local: Path, connect: Connect
) -> None:
    """A failing write is RemoteDiskFull, with the server's message and the remedy, and is not retried."""
    server = start_sandbox(
        sandbox_that_writes(
            lambda file, offset, data: OpenFile.write(file, offset, data) if offset < room else sftp.SFTP_FAILURE
        )
    )
    lines: list[str] = []
    with pytest.raises(RemoteDiskFull, match=r"not fit into '/inbox' on 127.*'Failure' \(status 4\).*Make room"):
        connect(server, log=lines.append).publish(local, "/inbox/a.csv")
    assert lines == []
    assert_former(target)


def test_a_limit_on_the_file_size_is_remote_disk_full(
    start_openssh: StartOpenSsh, sftp_server: str, tmp_path: Path, target: Path, local: Path, connect: Connect
) -> None:
    """A limit on the file size, for which OpenSSH answers "failure" as for a quota, is RemoteDiskFull."""
    written(local, BIG)
    script = tmp_path / "limited"
    script.write_text(f"#!/bin/sh\ntrap '' XFSZ\nulimit -f 20000\nexec {sftp_server}\n")
    script.chmod(0o700)
    with pytest.raises(RemoteDiskFull, match="'Failure'"):
        connect(start_openssh(subsystem=str(script))).publish(local, str(target))
    assert_former(target)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A 16 MiB disk with a file to be replaced. The test is skipped where mounting is not allowed."""
    (tmp_path / "small").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path / "small")]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    (tmp_path / "small/a.csv").write_text("former")
    yield tmp_path / "small/a.csv"
    subprocess.run(["umount", "-l", str(tmp_path / "small")], check=True)


@pytest.mark.parametrize("states", [True, False])
def test_a_full_disk_is_reported(
    states: bool, small: Path, start_openssh: StartOpenSsh, local: Path, connect: Connect
) -> None:
    """A server that reports its free space gets nothing; another reports its full disk."""
    written(local, BIG)
    confirmed: list[int] = []
    client = connect(start_openssh(subsystem=f"internal-sftp -P {'lsetstat' if states else 'statvfs'}"))
    with pytest.raises(RemoteDiskFull, match=r"30000000 bytes are to come and \d+ are free" if states else "'Failure'"):
        client.publish(local, str(small), progress=confirmed.append)
    assert bool(confirmed) != states
    assert_former(small)
    written(local, 10_000_000)
    client.publish(local, str(small))
    assert_published(small, local)
