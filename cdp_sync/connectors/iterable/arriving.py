"""An export that is read while its files arrive: a thread fetches them, and the reader waits for more lines."""

import threading
from collections.abc import Callable
from dataclasses import replace

from cdp_sync.connectors.iterable.export import Progress
from cdp_sync.errors import FileRejected, JobFailed, JobUnfinished, RequestRefused
from cdp_sync.model import FetchedFile

_LONGEST_END = 10.0
"""Seconds in which the thread ends where nobody reads the rest; it may be in the middle of a call."""


class Arriving:
    """A file that grows by whole lines until all of it is there. A context manager: leaving it ends the thread.

    Args:
        file: The file; its size and checksum are not known yet.
        fetch: Fetches it and returns its SHA-256, as `fetch_users` does.
        progress: Is called with that number too, by the thread that reads.
    """

    def __init__(self, file: FetchedFile, fetch: Callable[..., str], progress: Progress) -> None:
        self._file, self._fetch, self._progress = file, fetch, progress
        self._changed = threading.Condition()
        self._size, self._sha256, self._stopped = 0, "", False
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="export of users", daemon=True)

    def __enter__(self) -> FetchedFile:
        """Begin; return the file as it arrives."""
        self._thread.start()
        return replace(self._file, growing=self)

    def __exit__(self, *_unused: object) -> None:
        self._stopped = True
        self._thread.join(_LONGEST_END)

    def wait(self, size: int | None) -> int:
        """Wait until so many bytes are there, or all of them; return how many there are.

        Raises:
            FileRejected: The export failed.
            CdpSyncError: Iterable cannot be reached, or there is no room.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over() or (size is not None and self._size >= size))
        if isinstance(self._problem, (RequestRefused, JobFailed, JobUnfinished)):
            raise FileRejected(str(self._problem)) from self._problem
        if self._problem:
            raise self._problem
        self._progress(self._size)
        return self._size

    def end(self) -> tuple[int, str]:
        """Wait until all of it is there, and return its size and SHA-256. Raises as `wait` does."""
        return self.wait(None), self._sha256

    def _is_over(self) -> bool:
        return bool(self._sha256 or self._problem)

    def _work(self) -> None:
        sha256, problem = "", None
        try:
            sha256 = self._fetch(reader=self)
        except BaseException as error:  # noqa: BLE001 - `wait` raises it again
            problem = error
        with self._changed:
            self._sha256, self._problem = sha256, problem
            self._changed.notify_all()

    @property
    def has_lines(self) -> bool:
        """Whether there are lines that somebody may have read."""
        return self._size > 0

    def grown(self, size: int) -> None:
        """Take note that so many bytes are there.

        Raises:
            JobUnfinished: The file is not read any more.
        """
        if self._stopped:
            raise JobUnfinished("The export is not read any more.")
        with self._changed:
            self._size = size
            self._changed.notify_all()
