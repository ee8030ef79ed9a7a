"""Folders and files are private to their owner, whatever the umask and earlier permissions."""

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
    """Set a umask that restricts nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return path.stat().st_mode & 0o7777


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    """All missing folders are created private; an existing parent keeps its permissions."""
    tmp_path.chmod(0o755)
    assert private_folder(tmp_path / "a/b/c") == tmp_path / "a/b/c"
    assert [mode(tmp_path / path) for path in (".", "a", "a/b", "a/b/c")] == [0o755, 0o700, 0o700, 0o700]


def test_permissions_for_others_are_removed(tmp_path: Path) -> None:
    """Permissions for others are removed from existing and rewritten files; stricter ones stay."""
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


def test_files_of_other_programs_are_private(tmp_path: Path) -> None:
    """Where ACLs are supported, other programs create private files and folders in the folder."""
    folder = private_folder(tmp_path / "a")
    if not os.listxattr(folder):
        pytest.skip("no ACLs here")
    (folder / "b").mkdir()
    (folder / "b" / "c").write_text("c")
    assert [mode(folder / "b"), mode(folder / "b" / "c")] == [0o700, 0o600]


def test_a_shared_folder_stays_open(tmp_path: Path) -> None:
    """A shared folder such as /tmp, and the root, keep their permissions."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    root = mode(Path("/"))
    private_folder(tmp_path / "shared")
    private_folder(Path("/"))
    assert (mode(tmp_path / "shared"), mode(Path("/"))) == (0o1777, root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_owner_is_unchanged(tmp_path: Path) -> None:
    """A folder of another owner keeps its permissions."""
    for path in (tmp_path / "folder", tmp_path / "file"):
        path.mkdir(0o777) if path.name == "folder" else path.touch(0o666)
        os.chown(path, 65534, 65534)
    private_folder(tmp_path / "folder")
    private_file(tmp_path / "file")
    assert [mode(tmp_path / name) for name in ("folder", "file")] == [0o777, 0o666]


def test_sightings_are_private(tmp_path: Path) -> None:
    """The file of sightings is private, since file names may name people; open permissions are closed."""
    file, now = tmp_path / "data" / "sightings" / "shop__customers.json", datetime.now(UTC)
    for size in (1, 2):
        Sightings(file).note([RemoteFile(now, "/inbox/ada.csv", size)], now)
        assert [mode(path) for path in (file, file.parent, file.parent.parent)] == [0o600, 0o700, 0o700]
        file.chmod(0o666)
        file.parent.chmod(0o777)
