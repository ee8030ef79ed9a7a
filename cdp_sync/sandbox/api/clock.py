"""A clock that can be moved."""

import time
from collections.abc import Callable


class Clock:
    """Returns the time in seconds since 1970.

    Args:
        start: The time at which it stands still until it is moved. Without it the clock follows real time.
    """

    def __init__(self, start: float | None = None) -> None:
        self._time: Callable[[], float] = time.time if start is None else lambda: start
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self._time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += seconds
