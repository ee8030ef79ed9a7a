"""Publishing by a process that is killed: what it leaves on the server was noted before, and is cleared up."""

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
"""Names like ours, of a sender that is not us."""

Death = tuple[str, int, bool]
"""A method of the session, which call of it, and whether the process dies after it."""

ANYWHERE: list[Death] = [("fill", 1, False), ("progress", 1, False), ("fill", 1, True), ("end", 1, False)]
AT_ONCE: list[Death] = [("replace", 1, False), ("replace", 1, True)]
"""Where the server replaces a file in one step."""
SWAPPED: list[Death] = [
    *(("rename", number, after) for number in (1, 2, 3) for after in (False, True)),
    *(("remove", 1, after) for after in (False, True)),
]
"""Where it cannot: it refuses the first renaming, then the former file steps aside for the new one."""

CASES = [
    (outbox, death)
    for outbox, (_, replaces) in OUTBOXES.items()
    for death in [*ANYWHERE, *(AT_ONCE if replaces else SWAPPED)]
]


def publish_and_die(server: SftpServer, uploads: Path, local: Path, path: str, death: Death) -> None:
    """Publish in this process, and die on the way."""
    method, number, after = death
    if hasattr(Session, method):
        victim.die_at_request(method, number, after=after)
    dies = {"progress": lambda _: victim.die()} if method == "progress" else {}
    with SftpClient(server, environ={"PASSWORD": PASSWORD}) as client, noting(uploads) as journal:
        client.publish(local, path, journal=journal, **dies)
        victim.die()


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """The folder where uploads are noted."""
    return tmp_path / "uploads"


@pytest.fixture
def kill(uploads: Path, local: Path, declare: Declare) -> Callable[..., None]:
    """Publishes the local file as `a.csv` in a process that dies on the way."""

    def killed(server: Any, path: str, death: Death = ("progress", 1, False)) -> None:
        process = victim.start(publish_and_die, declare(server), uploads, local, path, death)
        assert victim.exit_code(process) == victim.KILLED

    return killed


@pytest.mark.parametrize(("outbox", "death"), CASES, ids=str, indirect=["outbox"])
def test_what_a_killed_upload_leaves_is_cleared_up(
    death: Death, outbox: Outbox, uploads: Path, local: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """Wherever it was killed: the former file or the new one is there, whole; nothing else is, but what others left."""
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
def test_a_new_file_is_there_or_not(
    after: bool, outbox: Outbox, uploads: Path, local: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """Killed around the moment in which a file gets a name that was free, the file is there, whole, or none is."""
    kill(outbox.server, outbox.path("a.csv"), ("replace" if outbox.replaces else "rename", 1, after))
    client = connect(outbox.server)
    assert clear_uploads([uploads], lambda: client) == []
    assert [file.read_bytes() for file in outbox.folder.iterdir()] == [local.read_bytes()] * after


def test_a_killed_upload_leaves_something(outbox: Outbox, kill: Callable[..., None]) -> None:
    """Killed in the middle, it leaves a part; where a file cannot be replaced in one step, no file for a while."""
    (outbox.folder / "a.csv").write_text("former")
    kill(outbox.server, outbox.path("a.csv"))
    assert [name.rpartition(".")[2] for name in outbox.names] == ["part", "csv"]
    if not outbox.replaces:
        kill(outbox.server, outbox.path("a.csv"), ("rename", 2, True))
        assert sorted(name.rpartition(".")[2] for name in outbox.names) == ["old", "part", "part"]


def test_an_upload_under_way_is_left_alone(outbox: Outbox, uploads: Path, local: Path, connect: Connect) -> None:
    """Who clears up meanwhile removes nothing of it, and does not even connect."""
    seen: list[list[str]] = []

    def clear(_confirmed: int) -> None:
        assert clear_uploads([uploads], lambda: pytest.fail("nothing is to be removed")) == []
        seen.append(outbox.names)

    with noting(uploads) as journal:
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=clear, journal=journal)
    assert [name.endswith(".part") for (name,) in seen] == [True] * len(seen) != []
    assert (outbox.names, names_in(uploads)) == (["a.csv"], [])


def test_what_is_cleared_up_at_once_is_not_noted(outbox: Outbox, uploads: Path, local: Path, connect: Connect) -> None:
    """An upload that fails and leaves nothing has no note either."""

    def interrupt(_confirmed: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), noting(uploads) as journal:
        connect(outbox.server).publish(local, outbox.path("a.csv"), progress=interrupt, journal=journal)
    assert (outbox.names, names_in(uploads)) == ([], [])


def test_each_attempt_is_noted(outbox: Outbox, uploads: Path, local: Path, connect: Connect) -> None:
    """A file that is sent again is noted again, under its new name, before it is; in the end nothing is."""
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


def test_the_note_stays_while_the_server_is_away(
    root: Path, tmp_path: Path, uploads: Path, kill: Callable[..., None], connect: Connect, stack: ExitStack
) -> None:
    """Nothing is forgotten until the server has been asked; that is one attempt."""
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


def test_what_must_not_be_removed_stays_noted(
    start_sandbox: StartSandbox, root: Path, uploads: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """It is returned, so that somebody hears of it, and looked for again the next time."""
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
def test_another_server_is_asked_and_not_believed(
    moved: bool, root: Path, uploads: Path, kill: Callable[..., None], connect: Connect, stack: ExitStack
) -> None:
    """Where the connection has another server by now, what is not found there stays noted for the former one."""
    accounts = {"webshop": PASSWORD}
    with SftpSandbox(root, accounts=accounts) as former:
        kill(former, "/inbox/a.csv")
    if not moved:
        (root / "inbox").rename(root / "elsewhere")
    client = connect(stack.enter_context(SftpSandbox(root, accounts=accounts)))
    left = clear_uploads([uploads], lambda: client)
    assert [upload.server for upload in left] == ([] if moved else [f"webshop@{former.host}:{former.port}"])
    assert len(names_in(uploads)) == len(left)


def test_a_removed_directory_holds_nothing(
    sandbox: SftpSandbox, root: Path, uploads: Path, kill: Callable[..., None], connect: Connect
) -> None:
    """Where the directory is gone, nothing of the upload is left."""
    kill(sandbox, "/inbox/a.csv")
    (root / "inbox").rename(root / "elsewhere")
    client = connect(sandbox)
    assert clear_uploads([uploads], lambda: client) == []
    assert names_in(uploads) == []


def test_a_note_that_is_not_complete_is_of_nothing(uploads: Path) -> None:
    """Killed while it was noted, an upload had not begun: the note goes, and nobody connects."""
    uploads.mkdir()
    (uploads / "1.json").touch()
    (uploads / "2.json").write_text('{"server": "webshop@')
    assert clear_uploads([uploads], lambda: pytest.fail("nothing is to be removed")) == []
    assert names_in(uploads) == []


def test_a_note_is_its_owners(uploads: Path) -> None:
    """Nobody else reads which files are sent."""
    umask = os.umask(0)
    try:
        with noting(uploads) as journal:
            journal.begin(Upload("a@b:22", "/a", "/.a.part", "/.a.old"))
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in (uploads, *uploads.iterdir())] == [0o700, 0o600]


def test_what_cannot_be_noted_is_not_sent(sandbox: SftpSandbox, root: Path, local: Path, connect: Connect) -> None:
    """Without room for the note nothing reaches the server."""

    class Full:
        def begin(self, _upload: Upload) -> None:
            raise DiskFull("There is no room.")

        def end(self, _upload: Upload) -> None:
            pytest.fail("nothing has begun")

    with pytest.raises(DiskFull):
        connect(sandbox).publish(local, "/inbox/a.csv", journal=Full())
    assert names_in(root / "inbox") == []


def test_a_refused_login_is_made_once(sandbox: SftpSandbox, local: Path, connect: Connect) -> None:
    """Who clears up and then publishes over one client shows a wrong password once: accounts are locked otherwise."""
    client = connect(sandbox, environ={"PASSWORD": "wrong"})
    with pytest.raises(AuthenticationFailed):
        client.clear_up(Upload(client.address, "/inbox/a.csv", "/inbox/.a.part", "/inbox/.a.old"))
    with pytest.raises(AuthenticationFailed):
        client.publish(local, "/inbox/a.csv")
    assert sandbox.refused_logins == 1
