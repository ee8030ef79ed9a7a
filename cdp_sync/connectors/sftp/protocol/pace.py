"""Limits on how long a server may take, beside the limit on its silence: bytes that drip keep a line alive for ever."""

import time
from collections.abc import Callable

Waited = Callable[[float, int], None]
"""Called after every wait for bytes with its seconds and how many came; raises TooSlow."""


class TooSlow(Exception):
    """The server sends, but does not get on."""


class Deadline:
    """A moment by which all of an answer must be there.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def waited(self, seconds: float, arrived: int) -> None:
        """Note a wait.

        Raises:
            TooSlow: The moment has passed.
        """
        if time.monotonic() > self._end:
            raise TooSlow(f"its answer was not whole after {self._seconds:g} s")


class LeastRate:
    """A rate that a transfer must reach on average; only time spent on waiting counts.

    Args:
        rate: Bytes a second.
        span: Seconds of waiting over which the average is taken.
    """

    def __init__(self, rate: int, span: float) -> None:
        self._rate = rate
        self._span = span
        self._seconds = 0.0
        self._bytes = 0

    def moved(self, size: int) -> None:
        """Note that so many bytes were transferred."""
        self._bytes += size

    def waited(self, seconds: float, arrived: int) -> None:
        """Note a wait, and the bytes that came.

        Raises:
            TooSlow: The rate was not reached.
        """
        self._seconds += seconds
        self._bytes += arrived
        if self._seconds < self._span:
            return
        if self._bytes < self._rate * self._seconds:
            raise TooSlow(f"{self._bytes:,} bytes in {self._seconds:.0f} s, where {self._rate:,} a second are expected")
        self._seconds, self._bytes = 0.0, 0
