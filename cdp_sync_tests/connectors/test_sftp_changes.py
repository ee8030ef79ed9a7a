"""Files that change after they are listed."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cdp_sync.errors import FileChanged, RemotePathMissing, RemotePermissionDenied
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.connectors.conftest import Connect
from cdp_sync_tests.connectors.files import names_in, written
from cdp_sync_tests.openssh import OpenSshServer

CHANGES: dict[str, Callable[[Path], object]] = {
    "grown": lambda file: file.open("ab").write(b"more"),
    "shrunk": lambda file: os.truncate(file, 10),
    "touched": lambda file: os.utime(file, (1, 1)),
    "replaced": lambda file: (file.with_name("new").write_bytes(b"new"), file.with_name("new").replace(file)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["sandbox", "openssh"])
def test_a_file_that_changes_during_the_download_is_skipped(
    kind: str, change: str, root: Path, fetched: Path, connect: Connect, request: pytest.FixtureRequest
) -> None:
    """A size or time that differs after the download is FileChanged, without leftovers."""
    written(root / "inbox/a.csv", 20 << 20)
    lines: list[str] = []
    client = connect(request.getfixturevalue(kind), log=lines.append)
    (file,) = client.list_directory("/inbox" if kind == "sandbox" else str(root / "inbox"))
    changed: list[object] = []

    def do_change(_arrived: int) -> None:
        if not changed:
            changed.append(CHANGES[change](root / "inbox/a.csv"))

    with pytest.raises(FileChanged, match=r"a\.csv"):
        client.download(file, fetched, progress=do_change)
    assert names_in(fetched.parent) == []
    assert lines == []


def test_a_file_that_differs_from_its_listing_is_skipped(
    sandbox: SftpSandbox, root: Path, fetched: Path, connect: Connect
) -> None:
    """A file that differs from its listing is FileChanged; the next listing finds it again."""
    written(root / "inbox/a.csv", 10)
    client = connect(sandbox)
    (file,) = client.list_directory("/inbox")
    for stale in (replace(file, size=9), replace(file, modified_at=file.modified_at - timedelta(seconds=1))):
        with pytest.raises(FileChanged):
            client.download(stale, fetched)
    assert not fetched.exists()


def test_a_vanished_file_is_named(openssh: OpenSshServer, root: Path, fetched: Path, connect: Connect) -> None:
    """A file that is gone before or during the download is RemotePathMissing, without leftovers."""
    written(root / "inbox/a.csv", 1_000_000)
    client = connect(openssh)
    (file,) = client.list_directory(str(root / "inbox"))
    for _ in range(2):
        with pytest.raises(RemotePathMissing, match=r"inbox/a\.csv"):
            client.download(file, fetched, progress=lambda _: (root / "inbox/a.csv").unlink(missing_ok=True))
    assert names_in(fetched.parent) == []


def test_a_forbidden_file_is_named(
    sandbox: SftpSandbox, root: Path, tmp_path: Path, fetched: Path, connect: Connect
) -> None:
    """The status "permission denied" is RemotePermissionDenied with path and account, without a retry."""
    written(tmp_path / "outside", 10)
    (root / "inbox/a.csv").symlink_to(tmp_path / "outside")
    lines: list[str] = []
    client = connect(sandbox, log=lines.append)
    (root / "inbox/b.csv").touch()
    (file,) = client.list_directory("/inbox")
    with pytest.raises(RemotePermissionDenied, match=r"'webshop' must not read '/inbox/a\.csv'"):
        client.download(replace(file, path="/inbox/a.csv"), fetched)
    assert lines == []
