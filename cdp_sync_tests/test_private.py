"""Folders and files for their owner alone, whatever the umask and whatever was there."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_sync.importing.sources.scanning import Sightings
from cdp_sync.model import RemoteFile
from cdp_sync.private import private_file, private_folder, write_private


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """A umask that closes nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return path.stat().st_mode & 0o7777


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    """All that were missing are closed; the one that was there stays as it is."""
    tmp_path.chmod(0o755)
    assert private_folder(tmp_path / "a/b/c") == tmp_path / "a/b/c"
    assert [mode(tmp_path / path) for path in (".", "a", "a/b", "a/b/c")] == [0o755, 0o700, 0o700, 0o700]


def test_what_others_could_enter_or_read_is_closed(tmp_path: Path) -> None:
    """Also a file that is there, and one that is written anew; what is closer already stays so."""
    (tmp_path / "folder").mkdir(0o777)
    (tmp_path / "file").touch(0o666)
    (tmp_path / "closer").touch(0o400)
    private_folder(tmp_path / "folder")
    private_file(tmp_path / "file")
    private_file(tmp_path / "closer")
    private_file(tmp_path / "missing")
    assert [mode(tmp_path / name) for name in ("folder", "file", "closer")] == [0o700, 0o600, 0o400]
    assert not (tmp_path / "missing").exists()
    for name in ("file", "new"):
        (tmp_path / "file").chmod(0o666)
        write_private(tmp_path / name, "ä")
        assert (mode(tmp_path / name), (tmp_path / name).read_text(encoding="utf-8")) == (0o600, "ä")


def test_what_others_make_in_it_is_closed(tmp_path: Path) -> None:
    """A program that knows nothing of all this makes closed files and folders, where the file system knows ACLs."""
    folder = private_folder(tmp_path / "a")
    if not os.listxattr(folder):
        pytest.skip("no ACLs here")
    (folder / "b").mkdir()
    (folder / "b" / "c").write_text("c")
    assert [mode(folder / "b"), mode(folder / "b" / "c")] == [0o700, 0o600]


def test_a_folder_that_everybody_shares_stays_open(tmp_path: Path) -> None:
    """Such as /tmp, whatever its owner; and the root of all."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    root = mode(Path("/"))
    private_folder(tmp_path / "shared")
    private_folder(Path("/"))
    assert (mode(tmp_path / "shared"), mode(Path("/"))) == (0o1777, root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_stays_as_it_is(tmp_path: Path) -> None:
    """Its owner decides."""
    for path in (tmp_path / "folder", tmp_path / "file"):
        path.mkdir(0o777) if path.name == "folder" else path.touch(0o666)
        os.chown(path, 65534, 65534)
    private_folder(tmp_path / "folder")
    private_file(tmp_path / "file")
    assert [mode(tmp_path / name) for name in ("folder", "file")] == [0o777, 0o666]


def test_sightings_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Names of files may name people; also where others could read them before."""
    file, now = tmp_path / "data" / "sightings" / "shop__customers.json", datetime.now(UTC)
    for size in (1, 2):
        Sightings(file).note([RemoteFile(now, "/inbox/ada.csv", size)], now)
        assert [mode(path) for path in (file, file.parent, file.parent.parent)] == [0o600, 0o700, 0o700]
        file.chmod(0o666)
        file.parent.chmod(0o777)
