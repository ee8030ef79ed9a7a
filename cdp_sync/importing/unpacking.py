"""Archives: `.gz` and `.zip`, bounded in size and kept inside their folder."""

import errno
import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cdp_sync.errors import FileRejected

CHUNK = 1 << 20

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a disk, a quota or a limit is full."""

# What gzip and zipfile raise over bytes that are no archive, or a broken one: they document no closed list.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, IndexError, ValueError, struct.error)

FREE_ALLOWANCE = 256 << 20
"""Bytes that any archive may unpack to."""
RATIO_ALLOWANCE = 100
"""Beyond that, an archive may unpack to so many times its own size; text packs ten-fold, a bomb thousand-fold."""


@dataclass(frozen=True)
class Part:
    """One delimited text of a file: the file itself, or a member of an archive."""

    name: str
    """As the quarantine names it: the file's path, for a member followed by `!` and its name."""
    local: Path


def unpack(path: str, local: Path, folder: Path) -> Iterator[Part]:
    """Yield the parts of a file; members are written into `folder` under names of our own.

    Raises:
        FileRejected: The archive is damaged, encrypted, too large unpacked, or names a member outside of itself.
    """
    try:
        if path.lower().endswith(".gz"):
            yield Part(path, _unpack_gz(local, folder / f"{local.name}.unpacked"))
        elif path.lower().endswith(".zip"):
            yield from _unpack_zip(path, local, folder)
        else:
            yield Part(path, local)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        raise FileRejected(f"The archive is damaged: {error}.", remedy="Have it delivered again.") from error


def _unpack_gz(local: Path, target: Path) -> Path:
    with gzip.open(local, "rb") as packed:
        _copy_bounded(packed, target, allowance(local.stat().st_size))
    return target


def _unpack_zip(path: str, local: Path, folder: Path) -> Iterator[Part]:
    left = allowance(local.stat().st_size)
    with zipfile.ZipFile(local) as archive:
        for number, member in enumerate(_members(archive)):
            target = folder / f"{local.name}.{number}.unpacked"
            with archive.open(member) as packed:
                left -= _copy_bounded(packed, target, left)
            yield Part(f"{path}!{member.filename}", target)


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
    for member in members:
        name = member.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/"):
            raise FileRejected(
                "The archive holds a member whose name leaves the archive.",
                needed="Names below the archive's own root.",
                remedy="Have it packed without `..` and absolute paths.",
            )
        if member.flag_bits & 1:
            raise FileRejected("The archive is encrypted.", remedy="Have it delivered without a password.")
    return members


def allowance(packed: int) -> int:
    """Return how many bytes an archive of `packed` bytes may unpack to."""
    return max(FREE_ALLOWANCE, RATIO_ALLOWANCE * packed)


def _copy_bounded(source: IO[bytes] | gzip.GzipFile, target: Path, limit: int) -> int:
    size = 0
    with target.open("wb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise FileRejected(
                    f"The archive unpacks to more than {limit:,} bytes.",
                    needed=f"At most {RATIO_ALLOWANCE} times its packed size.",
                    remedy="If it is no bomb, have it delivered in smaller pieces or unpacked.",
                )
            file.write(chunk)
    return size
