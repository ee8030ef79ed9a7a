"""A limit on silence: notices that nothing arrives any more."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Expires when, while a thread waits, nothing has arrived for too long.

    A channel's own timeout covers waiting for an answer; this also covers waiting to be allowed to send, where paramiko
    knows no timeout.

    Args:
        seconds: How long is too long.
        expire: Called then; it must wake up the thread that waits.
    """

    def __init__(self, seconds: float, expire: Callable[[], None]) -> None:
        self._seconds = seconds
        self._expire = expire
        self._seen = time.monotonic()
        self._waited_for = False
        self._dismissed = threading.Event()
        self.expired = False
        """Whether it has expired."""
        threading.Thread(target=self._watch, name="sftp-watchdog", daemon=True).start()

    def touch(self) -> None:
        """Note that something arrived."""
        self._seen = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        self.touch()
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
                self.expired = True
                self._expire()
                return
