"""A file on its way to this machine's disk: resumable, hashed as it comes, verified, and visible only when whole."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_sync.connectors import disk
from cdp_sync.errors import FileChanged, RemoteFailure, RemoteNameRefused, Terminal
from cdp_sync.model.counting import counted
from cdp_sync.model.remote import FetchedFile, RemoteFile

if TYPE_CHECKING:
    from cdp_sync.connectors.sftp.session import Session


class Download:
    """One file, over as many connections as it takes. Arguments and errors are those of `SftpClient.download`."""

    def __init__(self, remote: RemoteFile, target: Path, progress: Callable[[int], None]) -> None:
        if remote.name in ("", ".", "..") or "\0" in remote.path:
            raise RemoteNameRefused(f"{remote.path!r} is not a file name.", remedy="Fetch files that a listing gave.")
        self._remote, self._target, self._progress = remote, target, progress
        self._part = target.with_name(f"{target.name}.part")
        self._side = target.with_name(f"{target.name}.part.json")

    def reached(self) -> int:
        """Return how many bytes lie on the disk."""
        return self._part.stat().st_size if self._part.exists() else 0

    def run(self, session: "Session") -> FetchedFile:
        """Fetch what is missing, over one connection; after a transient error, what has arrived stays."""
        try:
            self._verify_unchanged(session)
            with disk.while_writing(self._target):
                self._prepare()
                with self._part.open("r+b") as part:
                    sha256 = self._complete(session, part)
                self._verify_unchanged(session)
                self._verify_size()
                self._part.replace(self._target)
                self._side.unlink()
        except (Terminal, FileChanged):
            for file in (self._part, self._side):
                with suppress(OSError):  # must not hide why they are discarded
                    file.unlink()
            raise
        return FetchedFile(self._remote, self._target, sha256)

    def _complete(self, session: "Session", part: BufferedRandom) -> str:
        digest = hashlib.file_digest(part, "sha256")  # of what an earlier attempt brought; also goes to its end
        start, size = part.tell(), self._remote.size
        free = shutil.disk_usage(self._target.parent).free
        if free < size - start:
            raise disk.disk_full(self._target, f"{size - start} bytes are to come and {free} are free")
        if start < size:
            for chunk in session.chunks(self._remote.path, start, size):
                part.write(chunk)
                digest.update(chunk)
                self._progress(part.tell())
        # Not forced to the disk: what a power cut takes is fetched again, and nothing is kept of it but its rows.
        part.flush()
        return digest.hexdigest()

    def _prepare(self) -> None:
        """Keep what has arrived if it is of this very file, else begin anew; others must not read it."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        remote = self._remote
        identity = {"path": remote.path, "size": remote.size, "modified_at": remote.modified_at.isoformat()}
        try:
            noted = json.loads(self._side.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            noted = None
        if noted != identity or self.reached() > remote.size:
            self._part.unlink(missing_ok=True)
            self._side.write_text(json.dumps(identity), encoding="utf-8")
        self._part.touch(mode=0o600)

    def _verify_unchanged(self, session: "Session") -> None:
        attributes = session.attributes(self._remote.path)
        now = (attributes.size, attributes.modified_at)
        if now != (self._remote.size, self._remote.modified_at):
            size = counted(self._remote.size, "byte")
            raise FileChanged(
                f"{self._remote.path!r} had {size} of {self._remote.modified_at:%F %T} when it was listed "
                f"and now has {now[0]} of {now[1]:%F %T}.",
                needed="Needed is a file at rest.",
                remedy="The next run takes it. If that repeats, declare a longer settle_seconds or a marker.",
            )

    def _verify_size(self) -> None:
        if self.reached() != self._remote.size:
            size = counted(self._remote.size, "byte")
            raise RemoteFailure(
                f"The server sent {self.reached():,} of {size} of {self._remote.path!r} and then "
                "said that this is the end.",
                remedy="The server's log may say why.",
            )
