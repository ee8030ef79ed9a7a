"""Trying a call again: when, how often, how far apart, how long."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cdp_sync.errors import Transient

T = TypeVar("T")
_LONGEST_PAUSE = 30.0
_chance = random.SystemRandom()


class GivenUp(Exception):
    """Nobody waits for the call any more."""


def rest(seconds: float, given_up: threading.Event | None) -> None:
    """Wait, unless it is given up meanwhile."""
    if given_up:
        given_up.wait(seconds)
    else:
        time.sleep(seconds)


@dataclass(frozen=True)
class Persistence:
    """Tries again what may pass, with growing pauses and some chance in them, so that threads do not march in step."""

    log: Callable[[str], None]
    attempts: int = 5
    first_pause: float = 1.0
    """Seconds before the second attempt; doubled each time, up to 30, less some chance."""
    longest: float = 900.0
    """Seconds after which no other attempt begins."""
    rest: Callable[[float, threading.Event | None], None] = rest

    def perform(self, work: Callable[[], T], given_up: threading.Event | None = None) -> T:
        """Return what `work` returns.

        Raises:
            Transient: The last failure, once the attempts or the time are used up.
            CdpSyncError: Whatever trying again would not help, at once.
            GivenUp: Nobody waits for it any more.
        """
        begun = time.monotonic()
        for failures in range(1, self.attempts + 1):
            try:
                return work()
            except Transient as problem:
                if failures == self.attempts or time.monotonic() - begun > self.longest:
                    raise
                seconds = self._pause(failures)
                self.log(f"{problem.found} Attempt {failures + 1} of {self.attempts} in {seconds:.1f} s.")
            self.rest(seconds, given_up)
            if given_up and given_up.is_set():
                raise GivenUp
        raise AssertionError(self.attempts)  # at least one attempt is made

    def _pause(self, failures: int) -> float:
        return min(_LONGEST_PAUSE, self.first_pause * 2.0 ** (failures - 1)) * _chance.uniform(0.5, 1.0)
