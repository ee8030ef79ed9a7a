"""Folders and files that only their owner may enter and read, whatever the umask."""

import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600

_INHERITED = "system.posix_acl_default"
_OWNER_ALONE = struct.pack(
    "<I" + "HHI" * 3,
    2,  # the format's version, then each time: whose rights, which, and a number that these have none of
    *(0x01, 7, 0xFFFFFFFF),
    *(0x04, 0, 0xFFFFFFFF),
    *(0x20, 0, 0xFFFFFFFF),
)
"""A default ACL: what other programs make in a folder, such as DuckDB its log, only its owner may read."""


def private_folder(folder: Path) -> Path:
    """Return a folder for its owner alone; it is made, with those above it that are missing, or closed to others.

    Where the file system knows ACLs, what is made in it is for the owner alone as well. A folder that belongs to
    another user, or that everybody shares, such as /tmp, stays as it is.
    """
    missing = [folder, *folder.parents]
    for each in reversed([each for each in missing if not each.exists()]):
        each.mkdir(_FOLDER, exist_ok=True)
    if _is_ours(folder, _FOLDER) and hasattr(os, "setxattr"):
        with suppress(OSError):  # not every file system knows ACLs
            if _INHERITED not in os.listxattr(folder):
                os.setxattr(folder, _INHERITED, _OWNER_ALONE)
    return folder


def private_file(file: Path) -> Path:
    """Return a file, closed to others if it is there and ours."""
    with suppress(FileNotFoundError):
        _is_ours(file, _FILE)
    return file


def write_private(file: Path, text: str) -> None:
    """Write a text to a file that is for its owner alone."""
    file.touch(_FILE)
    private_file(file).write_text(text, encoding="utf-8")


def _is_ours(path: Path, mode: int) -> bool:
    """Close a file or folder to others where it is ours alone to close; return whether it is."""
    found = path.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX or path == path.parent:
        return False
    if stat.S_IMODE(found.st_mode) & ~mode:
        with suppress(OSError):  # such as on a disk that can only be read
            path.chmod(stat.S_IMODE(found.st_mode) & mode)
    return True
