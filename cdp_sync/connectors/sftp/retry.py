"""Trying again: when, how often, how far apart."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cdp_sync.errors import FileChanged, RemoteFailure, Transient

T = TypeVar("T")
_LONGEST_PAUSE = 30.0
_chance = random.SystemRandom()


@dataclass(frozen=True)
class Persistence:
    """Tries again what may pass, with growing pauses and some chance in them, so that clients do not march in step."""

    attempts: int
    """How many in a row may fail without bringing anything."""
    first_pause: float
    """Seconds before the second attempt."""
    log: Callable[[str], None]

    def perform(self, work: Callable[[], T], reached: Callable[[], int]) -> T:
        """Return what `work` returns; when it fails and more was reached than before, the count starts anew.

        Raises:
            Transient: The last failure, once the attempts are used up.
            CdpSyncError: Whatever trying again would not help, at once.
        """
        failures, mark = 0, reached()
        while True:
            try:
                return work()
            except FileChanged:
                raise
            except Transient as problem:
                failures, mark = (1 if reached() > mark else failures + 1), reached()
                if failures >= self._allowed(problem):
                    raise
                self._pause(problem, failures)

    def _allowed(self, problem: Transient) -> int:
        # "Failure" is all that SFTP 3 says about quotas, odd paths and much else: one more try, no siege.
        return min(2, self.attempts) if isinstance(problem, RemoteFailure) else self.attempts

    def _pause(self, problem: Transient, failures: int) -> None:
        seconds = min(_LONGEST_PAUSE, self.first_pause * 2 ** (failures - 1)) * _chance.uniform(0.5, 1.0)
        self.log(f"{problem.found} Attempt {failures + 1} of {self.attempts} in {seconds:.1f} s.")
        time.sleep(seconds)
