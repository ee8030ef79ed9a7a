"""Puts the written file on the server."""

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cdp_sync.exporting.files.uploads import noting
from cdp_sync.exporting.files.writing import LocalFile
from cdp_sync.exporting.run import FileRun
from cdp_sync.exporting.select import verify_room
from cdp_sync.model import UploadJournal


@dataclass(frozen=True)
class DeliveredFile:
    """A file that is on the server, complete."""

    path: str
    size: int
    sha256: str
    rows: int


class Target(Protocol):
    """What delivering needs of a server."""

    def publish(
        self, local: Path, path: str, *, progress: Callable[[int], None] | None = None,
        journal: UploadJournal | None = None,
    ) -> None:  # fmt: skip
        """Put a file there: under its name only when it is complete, and not at all on failure.

        The journal has what an attempt may leave there, if the process dies, before its first byte is sent.
        """
        ...


def deliver_file(
    run: FileRun, server: Target, file: LocalFile, uploads: Path, *, progress: Callable[[int], None] | None = None
) -> DeliveredFile:
    """Publish a file in the goal's directory, if the delivery can be recorded.

    The local file stays where it is, for another attempt. `uploads` is the folder where the connection's uploads are
    noted until they are complete, see `clear_uploads`; `progress` receives how many bytes the server has confirmed.

    Raises:
        DiskFull: There is no room to note the upload, or to record the delivery. Nothing was sent.
        CdpSyncError: As the server's client raises it.
    """
    verify_room(run, file.rows)
    digests: list[Future[str]] = []
    with ThreadPoolExecutor(1) as executor:

        def confirmed(reached: int) -> None:
            # While the server writes the last bytes to its disk, the digest costs no time.
            if reached == file.size and not digests:
                digests.append(executor.submit(_sha256, file.local))
            if progress:
                progress(reached)

        with noting(uploads) as journal:
            server.publish(file.local, run.path, progress=confirmed, journal=journal)
    sha256 = digests[0].result() if digests else _sha256(file.local)
    return DeliveredFile(run.path, file.size, sha256, file.rows)


def _sha256(local: Path) -> str:
    with local.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
