"""Publishing by a process that is killed: its notes name what it leaves on the server, to be removed later."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from paramiko import sftp

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.connectors.sftp.session import Session
from cdp_sync.errors import AuthenticationFailed, ConnectionLost, DiskFull, ServerUnreachable
from cdp_sync.exporting import clear_uploads
from cdp_sync.exporting.files.uploads import noting
from cdp_sync.model import SftpServer, Upload
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.connectors.conftest import OUTBOXES, PASSWORD, Connect, Declare, StartSandbox
from cdp_sync_tests.connectors.files import names_in, sandbox_of
from cdp_sync_tests.connectors.outbox import Outbox
from cdp_sync_tests.connectors.test_publish_failing import hang_up
from cdp_sync_tests.trail import victim

OTHERS = [".a.csv.0123456789abcdef.old", ".a.csv.0123456789abcdef.part"]
"""Names in our format, of another sender."""

Death = tuple[str, int, bool]
"""A method of the session, the number of its call, and whether the process dies after it."""

ANYWHERE: list[Death] = [("fill", 1, False), ("progress", 1, False), ("fill", 1, True), ("end", 1, False)]
AT_ONCE: list[Death] = [("replace", 1, False), ("replace", 1, True)]
"""For a server that replaces a file atomically."""
SWAPPED: list[Death] = [
    *(("rename", number, after) for number in (1, 2, 3) for after in (False, True)),
    *(("remove", 1, after) for after in (False, True)),
]
"""For one that cannot: it refuses the first rename, then the former file is renamed aside."""

CASES = [
    (outbox, death)
    for outbox, (_, replaces) in OUTBOXES.items()
    for death in [*ANYWHERE, *(AT_ONCE if replaces else SWAPPED)]
]


def publish_and_die(server: SftpServer, uploads: Path, local: Path, path: str, death: Death) -> None:
    """Publish in this process, which kills itself at the given point."""
    method, number, after = death
    if hasattr(Session, method):
        victim.die_at_request(method, number, after=after)
    dies = {"progress": lambda _: victim.die()} if method == "progress" else {}
    with SftpClient(server, environ={"PASSWORD": PASSWORD}) as client, noting(uploads) as journal:
        client.publish(local, path, journal=journal, **dies)
        victim.die()


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """The folder of upload notes."""
    return tmp_path / "uploads"


@pytest.fixture
def kill(uploads: Path, local: Path, declare: Declare) -> Callable[..., None]:
    """Publishes the local file as `a.csv` in a process that is killed."""

    def killed(server: Any, path: str, death: Death = ("progress", 1, False)) -> None:
        process = victim.start(publish_and_die, declare(server), uploads, local, path, death)
        assert victim.exit_code(process) == victim.KILLED

    return killed


@pytest.mark.parametrize(("outbox", "death"), CASES, ids=str, indirect=["outbox"])
def test_leftovers_of_a_killed_upload_are_removed(
    death: Death, outbox: Outbox, uploads: Path, local: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """After a kill at any point the folder holds the former or the new file, and the files of others."""
    (outbox.folder / "a.csv").write_text("former")
    for name in OTHERS:
        (outbox.folder / name).write_text("another's")
    kill(outbox.server, outbox.path("a.csv"), death)
    assert len(names_in(uploads)) == 1
    client = connect(outbox.server)
    for _ in range(2):
        assert clear_uploads([uploads], lambda: client) == []
        assert (names_in(uploads), outbox.names) == ([], [*OTHERS, "a.csv"])
        assert (outbox.folder / "a.csv").read_bytes() in (b"former", local.read_bytes())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_around_the_rename_leaves_a_whole_file_or_none(
    after: bool, outbox: Outbox, uploads: Path, local: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """A process that is killed around the rename leaves the whole file, or none."""
    kill(outbox.server, outbox.path("a.csv"), ("replace" if outbox.replaces else "rename", 1, after))
    client = connect(outbox.server)
    assert clear_uploads([uploads], lambda: client) == []
    assert [file.read_bytes() for file in outbox.folder.iterdir()] == [local.read_bytes()] * after


def test_a_killed_upload_leaves_a_part(outbox: Outbox, kill: Callable[..., None]) -> None:
    """A killed upload leaves a part. Without atomic replacement the target is missing for a moment."""
    (outbox.folder / "a.csv").write_text("former")
    kill(outbox.server, outbox.path("a.csv"))
    assert [name.rpartition(".")[2] for name in outbox.names] == ["part", "csv"]
    if not outbox.replaces:
        kill(outbox.server, outbox.path("a.csv"), ("rename", 2, True))
        assert sorted(name.rpartition(".")[2] for name in outbox.names) == ["old", "part", "part"]


def test_an_upload_in_progress_is_untouched(outbox: Outbox, uploads: Path, local: Path, connect: Connect) -> None:
    """Clearing removes nothing of an upload that is in progress, and does not connect."""
    seen: list[list[str]] = []

    def clear(_confirmed: int) -> None:
        assert clear_uploads([uploads], lambda: pytest.fail("nothing is to be removed")) == []
        seen.append(outbox.names)

    with noting(uploads) as journal:
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=clear, journal=journal)
    assert [name.endswith(".part") for (name,) in seen] == [True] * len(seen) != []
    assert (outbox.names, names_in(uploads)) == (["a.csv"], [])


def test_a_failed_upload_without_leftovers_is_not_noted(
    outbox: Outbox, uploads: Path, local: Path, connect: Connect
) -> None:
    """An upload that fails without leftovers leaves no note."""

    def interrupt(_confirmed: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), noting(uploads) as journal:
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=interrupt, journal=journal)
    assert (outbox.names, names_in(uploads)) == ([], [])


def test_each_attempt_is_noted(outbox: Outbox, uploads: Path, local: Path, connect: Connect) -> None:
    """Each attempt is noted under its new name before it starts; at the end no note is left."""
    noted: list[list[str]] = []

    def cut(_confirmed: int) -> None:
        (note,) = uploads.iterdir()
        parts = [Path(json.loads(line)["part"]).name for line in note.read_text().splitlines()]
        assert [name for name in outbox.names if name.endswith(".part")] == parts[-1:]
        if parts not in noted:
            noted.append(parts)
            hang_up(outbox)

    with noting(uploads) as journal, pytest.raises(ConnectionLost):
        connect(outbox.server, attempts=3).publish(local, outbox.path("a.csv"), progress=cut, journal=journal)
    assert [len(parts) for parts in noted] == [1, 2, 3]
    assert (outbox.names, names_in(uploads)) == ([], [])


def test_a_note_stays_while_the_server_is_away(
    root: Path, tmp_path: Path, uploads: Path, kill: Callable[..., None], connect: Connect, stack: ExitStack
) -> None:
    """A note stays until the server has been asked, in one attempt."""
    options: dict[str, Any] = {"accounts": {"webshop": PASSWORD}, "host_key_file": tmp_path / "key"}
    with SftpSandbox(root, **options) as first:
        kill(first, "/inbox/a.csv")
    lines: list[str] = []
    client = connect(first, log=lines.append)
    with pytest.raises(ServerUnreachable):
        clear_uploads([uploads], lambda: client)
    assert (len(names_in(uploads)), len(names_in(root / "inbox")), lines) == (1, 1, [])
    stack.enter_context(SftpSandbox(root, port=first.port, **options))
    assert clear_uploads([uploads], lambda: client) == []
    assert (names_in(uploads), names_in(root / "inbox")) == ([], [])


def test_a_leftover_that_cannot_be_removed_stays_noted(
    start_sandbox: StartSandbox, root: Path, uploads: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """A leftover that cannot be removed is returned, stays noted, and is looked for again."""
    refusing = type("Keeping", (Files,), {"remove": lambda *_: sftp.SFTP_PERMISSION_DENIED})
    server = start_sandbox(sandbox_of(refusing))
    kill(server, "/inbox/a.csv")
    client = connect(server)
    for _ in range(2):
        (left,) = clear_uploads([uploads], lambda: client)
        assert [left.part] == [f"/inbox/{name}" for name in names_in(root / "inbox")]
    (root / left.part.lstrip("/")).unlink()
    assert clear_uploads([uploads], lambda: client) == []
    assert names_in(uploads) == []


@pytest.mark.parametrize("moved", [True, False], ids=["its files with it", "without its files"])
def test_notes_of_a_former_server_stay(
    moved: bool, root: Path, uploads: Path, kill: Callable[..., None], connect: Connect, stack: ExitStack
) -> None:
    """When the connection has another server, a missing leftover stays noted for the former one."""
    accounts = {"webshop": PASSWORD}
    with SftpSandbox(root, accounts=accounts) as former:
        kill(former, "/inbox/a.csv")
    if not moved:
        (root / "inbox").rename(root / "elsewhere")
    client = connect(stack.enter_context(SftpSandbox(root, accounts=accounts)))
    left = clear_uploads([uploads], lambda: client)
    assert [upload.server for upload in left] == ([] if moved else [f"webshop@{former.host}:{former.port}"])
    assert len(names_in(uploads)) == len(left)


def test_a_removed_directory_clears_the_note(
    sandbox: SftpSandbox, root: Path, uploads: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """A removed directory holds no leftovers."""
    kill(sandbox, "/inbox/a.csv")
    (root / "inbox").rename(root / "elsewhere")
    client = connect(sandbox)
    assert clear_uploads([uploads], lambda: client) == []
    assert names_in(uploads) == []


def test_an_incomplete_note_is_removed(uploads: Path) -> None:
    """An incomplete note is removed without connecting: its upload had not begun."""
    uploads.mkdir()
    (uploads / "1.json").touch()
    (uploads / "2.json").write_text('{"server": "webshop@')
    assert clear_uploads([uploads], lambda: pytest.fail("nothing is to be removed")) == []
    assert names_in(uploads) == []


def test_notes_are_readable_by_their_owner_only(uploads: Path) -> None:
    """Notes are readable by their owner only."""
    umask = os.umask(0)
    try:
        with noting(uploads) as journal:
            journal.begin(Upload("a@b:22", "/a", "/.a.part", "/.a.old"))
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in (uploads, *uploads.iterdir())] == [0o700, 0o600]


def test_an_upload_that_cannot_be_noted_is_not_sent(
    sandbox: SftpSandbox, root: Path, local: Path, connect: Connect
) -> None:
    """An upload that cannot be noted is not sent."""

    class Full:
        def begin(self, _upload: Upload) -> None:
            raise DiskFull("There is no room.")

        def end(self, _upload: Upload) -> None:
            pytest.fail("nothing has begun")

    with pytest.raises(DiskFull):
        connect(sandbox).publish(local, "/inbox/a.csv", journal=Full())
    assert names_in(root / "inbox") == []


def test_clearing_and_publishing_log_in_once(sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """Clearing and publishing with one client send a wrong password once, so that the account is not locked."""
    client = connect(sandbox, environ={"PASSWORD": "wrong"})
    with pytest.raises(AuthenticationFailed):
        client.clear_up(Upload(client.address, "/inbox/a.csv", "/inbox/.a.part", "/inbox/.a.old"))
    with pytest.raises(AuthenticationFailed):
        client.publish(local, "/inbox/a.csv")
    assert sandbox.refused_logins == 1
