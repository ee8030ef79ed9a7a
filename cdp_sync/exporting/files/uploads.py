"""Notes which uploads have begun, so that the next run removes what a killed run left on a server.

Each delivery has a file of its own, with a line for each attempt to send. The file is locked while its process lives:
the system releases the lock when the process dies, which marks the upload as interrupted.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Protocol

from cdp_sync.errors import NO_ROOM, DiskFull, Terminal
from cdp_sync.model import Upload
from cdp_sync.private import private_folder


class Cleaner(Protocol):
    """The server, as far as `clear_uploads` uses it."""

    def clear_up(self, upload: Upload) -> bool:
        """Remove what an upload left; return whether nothing is left."""


class Note:
    """The note of one delivery, an `UploadJournal`: a locked file, open for appending."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.open: list[Upload] = []
        """Uploads that have begun and may have left a file."""

    def begin(self, upload: Upload) -> None:
        """Note an upload durably: the note survives a power cut."""
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
    """Yield the note of a delivery; it stays in the folder if the delivery is interrupted.

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
    """Remove from a server what interrupted deliveries have left there, and their notes; return what stays noted.

    `server` is called only where there is something to remove; `warn` receives a sentence about each note that cannot
    be read or removed, and is skipped.

    Raises:
        Transient: The server cannot be reached now; the notes stay.
        Terminal: No session with the server is possible; the notes stay.
    """
    left: list[Upload] = []
    for folder in folders:
        with closing(_interrupted(folder)) as notes:
            for path, uploads in notes:
                if isinstance(uploads, str):
                    warn(uploads)
                    continue
                remaining = [upload for upload in uploads if not server().clear_up(upload)]
                left += remaining
                try:
                    if not remaining:
                        path.unlink(missing_ok=True)
                except OSError as problem:
                    warn(_unusable(path, problem))
    return left


def broken_uploads(folder: Path) -> Iterator[tuple[Path, list[Upload] | str]]:
    """Yield the notes of interrupted deliveries: each with its uploads, or why it cannot be read."""
    return ((path, uploads) for path, uploads in _interrupted(folder) if uploads)


def _interrupted(folder: Path) -> Generator[tuple[Path, list[Upload] | str], None, None]:
    """Yield each note whose process is gone, locked until the next one, with its uploads or why it cannot be read."""
    for path in sorted(folder.glob("*.json")):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                uploads = []
                for line in file:
                    with suppress(ValueError, TypeError):  # an incomplete line stands for an upload that sent nothing
                        uploads.append(Upload(**json.loads(line)))
                yield path, uploads
        except (FileNotFoundError, BlockingIOError):
            continue  # another process has cleared up, or the delivery goes on
        except OSError as problem:
            yield path, _unusable(path, problem)


def _unusable(path: Path, problem: OSError) -> str:
    return (
        f"The note of an upload {path} cannot be read, or not be removed: {problem.strerror or 'the disk failed'}. "
        "Correct its permissions, or remove it if it is none."
    )


def _new(path: Path) -> BinaryIO:
    """Return a new file, locked; its name survives a power cut."""
    while True:
        path.touch(0o600)
        file = path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            break
        file.close()  # another process cleared it up before it was locked
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
        kind = DiskFull if problem.errno in NO_ROOM else Terminal
        raise kind(
            f"What is about to be sent cannot be noted: {problem.strerror or 'the disk failed'}.",
            needed="An upload is noted first, so that nothing of it stays on the server if it breaks off.",
            remedy="Make room on the disk of the data folder, or correct the folder's permissions. Nothing was sent.",
        ) from problem
