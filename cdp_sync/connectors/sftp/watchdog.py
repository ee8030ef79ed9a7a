"""Notices that nothing comes any more."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Bites when, while someone waits, nothing has come for too long.

    A channel's own timeout covers waiting for an answer; this also covers waiting to be allowed to ask, where paramiko
    knows no timeout.

    Args:
        seconds: How long is too long.
        bite: What to do then; it must wake up whoever waits.
    """

    def __init__(self, seconds: float, bite: Callable[[], None]) -> None:
        self._seconds = seconds
        self._bite = bite
        self._seen = time.monotonic()
        self._waited_for = False
        self._dismissed = threading.Event()
        self.bitten = False
        """Whether it had to bite."""
        threading.Thread(target=self._watch, name="sftp-watchdog", daemon=True).start()

    def pat(self) -> None:
        """Something came."""
        self._seen = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        self.pat()
        self._waited_for = True
        try:
            yield
        finally:
            self._waited_for = False

    def dismiss(self) -> None:
        """Stop watching for good."""
        self._dismissed.set()

    def _watch(self) -> None:
        while not self._dismissed.wait(self._seconds / 4):
            if self._waited_for and time.monotonic() - self._seen > self._seconds:
                self.bitten = True
                self._bite()
                return
