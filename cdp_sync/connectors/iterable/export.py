"""Many users at once: an export by a job whose files are fetched side by side, or one answer for a short period.

The flow of a job: `POST export/start` queues it, `GET export/{id}/files` says how it is and names the files that are
there. Files of up to 10 MB appear while it runs, and are fetched meanwhile. A file's address expires after 30 minutes
and is asked for again. Of a file that arrived every line is appended to one file, in the order of the files' names.

A job takes its time to be started, but files can be fetched again one by one. One answer begins at once; if it is cut,
all of it is fetched again. So a period of up to a day is one answer, and everything else a job.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from cdp_sync.connectors import disk
from cdp_sync.connectors.iterable.answers import ExportedFile, ExportState
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.protocol import UserQuery
from cdp_sync.errors import (
    CdpSyncError,
    DiskFull,
    JobFailed,
    JobLost,
    JobUnfinished,
    RemotePathMissing,
    RemotePermissionDenied,
    Transient,
)
from cdp_sync.retrying import Pauses

LONGEST_JOB = 3 * 3600.0
"""Seconds that a job gets; at most four of a project run, the others wait."""

LONGEST_STREAM = timedelta(days=1)
"""The longest period that is asked for as one answer."""

_WORKERS = 8
"""Files fetched at the same time."""
_ATTEMPTS = 2
_BLOCK = 1 << 20
_PAUSES = Pauses(first=0.25, growth=1.1, longest=30.0)
_STARTED = ExportState("enqueued", truncated=False, files=())
_UNSEEN = 60.0
"""Seconds in which a job that was just started may not be known yet."""

Progress = Callable[[int], None]
"""Called with the number of bytes so far."""


def fetch_users(
    client: IterableClient,
    query: UserQuery,
    target: Path,
    progress: Progress = lambda _: None,
    reader: "Reader | None" = None,
) -> str:
    """Bring users here, a JSON object a line; return the SHA-256 of the bytes.

    Of what a `reader` has read a job that fails is not replaced by another one.

    Raises:
        JobFailed: The export failed or was cancelled, holds less than was asked for, or its files are there no more.
        JobUnfinished: It did not end in time.
        DiskFull: There is no room for it.
    """
    if query.since and query.until and query.until - query.since <= LONGEST_STREAM:
        with suppress(Transient):  # the job, whose parts are fetched one by one, may succeed
            return client.stream_users(query, target, progress).sha256
    for left in reversed(range(_ATTEMPTS)):
        try:
            return _Export(client, client.start_export(query), progress, reader).fetch(target)
        except JobFailed:
            if not left or (reader and reader.has_lines):
                raise
    raise AssertionError  # the last attempt returns or raises


class Reader(Protocol):
    """Reads lines while others arrive."""

    @property
    def has_lines(self) -> bool:
        """Whether there are lines that it may have read."""
        ...

    def grown(self, size: int) -> None:
        """Take note, in any thread, that so many bytes are there, all of them whole lines.

        Raises:
            JobUnfinished: It reads no more.
        """
        ...


@dataclass
class _Joined:
    """The job's files joined in their order, whatever order they arrive in."""

    path: Path
    file: BinaryIO
    reader: Reader | None
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _arrived: dict[int, Path] = field(default_factory=dict)
    _place: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int, part: Path) -> None:
        """Append a file, unless one before it is missing, and those that waited for it."""
        with self._lock:
            self._arrived[number] = part
            with disk.while_writing(self.path):
                while self._place in self._arrived:
                    _append(self._arrived.pop(self._place), self.file, self.digest)
                    self._place += 1
                self.file.flush()
            self.size = self.file.tell()
        self.look()

    def look(self) -> None:
        """Let the reader know how much is there; it may end the export."""
        if self.reader:
            self.reader.grown(self.size)


@dataclass(frozen=True)
class _Placed:
    """A file, and the name that it comes after."""

    file: ExportedFile
    after: str


@dataclass
class _Export:
    """A job that was started."""

    client: IterableClient
    job_id: int
    progress: Progress
    reader: Reader | None
    state: ExportState = _STARTED
    _folder: Path = field(default=Path(), repr=False)

    def fetch(self, target: Path) -> str:
        """Bring all users of the job here."""
        self._folder = target.with_name(f"{target.name}.files")
        try:
            with disk.while_writing(target):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                target.touch(mode=0o600)
            with target.open("r+b") as file:
                file.truncate()
                joined = _Joined(target, file, self.reader)
                self._download_all(joined)
                return joined.digest.hexdigest()
        except (JobUnfinished, DiskFull):
            with suppress(CdpSyncError):  # must not hide why the export is given up
                self.client.cancel_export(self.job_id)
            raise
        finally:
            for part in self._folder.glob("*"):
                part.unlink(missing_ok=True)
            with suppress(OSError):
                self._folder.rmdir()

    def _download_all(self, joined: _Joined) -> None:
        def download(numbered: tuple[int, _Placed], _cancelled: threading.Event) -> None:
            number, placed = numbered
            joined.add(number, self._download(placed, self._folder / str(number)))

        with closing(self.client.concurrently(download, self._appearing(joined), workers=_WORKERS)) as outcomes:
            for _, outcome in outcomes:
                if isinstance(outcome, CdpSyncError):
                    raise outcome
                self.progress(joined.size)

    def _appearing(self, joined: _Joined) -> Iterator[tuple[int, _Placed]]:
        """Yield the job's files as they appear, each with its number, until there are no more."""
        begun, looks, number, after = time.monotonic(), 0, 0, ""
        while True:
            over = self._look(after, begun)
            for file in self.state.files:
                yield number, _Placed(file, after)
                number, after, looks = number + 1, file.name, 0
            if self.state.files:
                continue  # more of them may be there
            if over:
                return
            left = LONGEST_JOB - (time.monotonic() - begun)
            if left <= 0:
                raise JobUnfinished(
                    f"The export did not end within {LONGEST_JOB:g} s; Iterable says {self.state.state!r}.",
                    remedy="At most four exports of a project run at once. If it repeats, look at the others.",
                )
            looks += 1
            joined.look()
            self.client.wait(min(_PAUSES.after(looks), left))

    def _look(self, after: str, begun: float) -> bool:
        """Ask how the job is; return whether it has ended, with all that was asked for."""
        try:
            self.state = self.client.export_state(self.job_id, after)
        except JobLost:
            if time.monotonic() - begun >= _UNSEEN:
                raise
            self.state = replace(self.state, files=())
            return False
        if self.state.state == "failed":
            raise JobFailed(
                "The export failed at Iterable, which does not say why.", remedy="The next run starts another."
            )
        if self.state.state in ("cancelling", "cancelled"):
            raise JobFailed("The export was cancelled at Iterable.", remedy="The next run starts another.")
        if self.state.truncated:
            raise JobFailed(
                "The export holds less than was asked for: it reached Iterable's limit of 100 GB.",
                remedy="Map fewer fields, or read changed users only.",
            )
        return self.state.state == "completed"

    def _download(self, placed: _Placed, target: Path) -> Path:
        try:
            return self.client.download(placed.file.url, target, lambda _size: None).local
        except (RemotePathMissing, RemotePermissionDenied):
            file = self._asked_again(placed)
        try:
            return self.client.download(file.url, target, lambda _size: None).local
        except (RemotePathMissing, RemotePermissionDenied) as problem:
            raise JobLost(
                f"A file of the export cannot be fetched: {problem.found}", remedy="The next run starts another export."
            ) from None

    def _asked_again(self, placed: _Placed) -> ExportedFile:
        """Return a file with a fresh address."""
        files = self.client.export_state(self.job_id, placed.after).files
        found = next((file for file in files if file.name == placed.file.name), None)
        if found is None:
            raise JobLost("A file of the export is there no more.", remedy="The next run starts another export.")
        return found


def _append(part: Path, whole: BinaryIO, digest: "hashlib._Hash") -> None:
    """Append a file's lines, the last one with its line feed, and remove the file."""
    last = b"\n"
    with part.open("rb") as file:
        while chunk := file.read(_BLOCK):
            whole.write(chunk)
            digest.update(chunk)
            last = chunk[-1:]
    if last != b"\n":
        whole.write(b"\n")
        digest.update(b"\n")
    part.unlink()
