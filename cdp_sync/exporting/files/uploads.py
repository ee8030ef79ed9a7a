"""Remembers which uploads have begun, so that what a killed run left on a server is removed by the next one.

Each delivery has a file of its own, with a line for each attempt to send; it is locked while its process lives. The
lock tells an upload under way from one that broke off: the system lets go of it when the process dies.
"""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Protocol

from cdp_sync.errors import DiskFull, Terminal
from cdp_sync.model import Upload
from cdp_sync.private import private_folder

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Cleaner(Protocol):
    """What clearing up needs of a server."""

    def clear_up(self, upload: Upload) -> bool:
        """Remove what an upload left; return whether nothing is left."""
        ...


class Note:
    """The note of one delivery, an `UploadJournal`.

    Args:
        file: Open for appending, and locked.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.open: list[Upload] = []
        """Uploads that have begun and may have left something."""

    def begin(self, upload: Upload) -> None:
        """Note an upload; it outlives a power cut.

        Raises:
            DiskFull: There is no room for the note.
            Terminal: It cannot be written for another reason.
        """
        with _while_noting():
            self._file.write(json.dumps(asdict(upload)).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self.open.append(upload)

    def end(self, upload: Upload) -> None:
        """Forget an upload of which nothing is left."""
        self.open.remove(upload)


@contextmanager
def noting(folder: Path) -> Iterator[Note]:
    """Yield the note of a delivery, which stays in the folder if it breaks off.

    Raises:
        DiskFull: There is no room for the note.
        Terminal: It cannot be written for another reason.
    """
    path = folder / f"{secrets.token_hex(8)}.json"
    with _while_noting():
        private_folder(folder)
        file = _new(path)
    with file:
        note = Note(file)
        try:
            yield note
        finally:
            if not note.open:
                path.unlink(missing_ok=True)


def clear_uploads(
    folders: Iterable[Path], server: Callable[[], Cleaner], warn: Callable[[str], object] = lambda _: None
) -> list[Upload]:
    """Remove from a server what deliveries that broke off have left there, and then their notes.

    Args:
        folders: Where they were noted.
        server: Returns what talks to it; asked for only where there is something to remove.
        warn: Receives a sentence about each entry that cannot be read or removed; it is passed over.

    Returns:
        What the server did not let us remove; it stays noted.

    Raises:
        Transient: The server is away; the notes stay.
        Terminal: The server and we do not come together; the notes stay.
    """
    left: list[Upload] = []
    for path in _notes(folders):
        try:
            with _broken_off(path) as uploads:
                if uploads is None:
                    continue
                remaining = [upload for upload in uploads if not server().clear_up(upload)]
                left += remaining
                if not remaining:
                    path.unlink(missing_ok=True)
        except OSError as problem:
            warn(_unusable(path, problem))
    return left


def broken_uploads(folder: Path) -> Iterator[tuple[Path, list[Upload] | str]]:
    """Yield the notes of deliveries that broke off: each with its uploads, or why it cannot be read."""
    for path in _notes([folder]):
        try:
            with _broken_off(path) as uploads:
                pass
        except OSError as problem:
            yield path, _unusable(path, problem)
        else:
            if uploads:
                yield path, uploads


def _notes(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.json"))]


def _unusable(path: Path, problem: OSError) -> str:
    return (
        f"The note of an upload {path} cannot be read, or not be removed: {problem.strerror or 'the disk failed'}. "
        "Correct its permissions, or remove it if it is none."
    )


@contextmanager
def _broken_off(path: Path) -> Iterator[list[Upload] | None]:
    """Yield the uploads of a note whose process is gone; None where it lives, or the note is gone as well.

    Raises:
        OSError: The note cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:  # somebody else has cleared up
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield list(_uploads(file))


def _uploads(lines: Iterable[bytes]) -> Iterator[Upload]:
    """Yield what was noted. Of a line that is not complete nothing had been sent."""
    for line in lines:
        with suppress(ValueError, TypeError):
            yield Upload(**json.loads(line))


def _new(path: Path) -> BinaryIO:
    """Return a new file, locked; its name outlives a power cut."""
    while True:
        path.touch(0o600)
        file = path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            break
        file.close()  # who cleared up had seen it before it was locked
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return file


@contextmanager
def _while_noting() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        kind = DiskFull if problem.errno in _NO_ROOM else Terminal
        raise kind(
            f"What is about to be sent cannot be noted: {problem.strerror or 'the disk failed'}.",
            needed="An upload is noted first, so that nothing of it stays on the server if it breaks off.",
            remedy="Make room on the disk of the data folder, or correct the folder's permissions. Nothing was sent.",
        ) from problem
