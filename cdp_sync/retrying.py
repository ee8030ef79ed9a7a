"""Retry with exponential backoff and jitter: in one process by tenacity, and across processes as a persisted value.

Whether a failure is worth another attempt is a question about its type: only `Transient` errors are retried.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from cdp_sync.errors import FileChanged, Transient

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
_logger = logging.getLogger(__name__)
_random = random.SystemRandom()


class Cancelled(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class Pauses:
    """Seconds between attempts: `first`, then each `growth` times the one before, at most `longest`."""

    first: float = 1.0
    growth: float = 2.0
    longest: float = 30.0

    def after(self, failures: int) -> float:
        """Return the pause after so many failures, at least one."""
        try:
            return min(self.longest, self.first * self.growth ** (failures - 1))
        except OverflowError:
            return self.longest


@dataclass(frozen=True)
class Backoff:
    """A persisted retry: how often something has failed, and before when it is not tried again."""

    failures: int = 0
    not_before: float = 0.0
    """Seconds since 1970."""

    def failed(self, now: float, pauses: Pauses) -> "Backoff":
        """Return the backoff after one more failure."""
        return Backoff(self.failures + 1, now + pauses.after(self.failures + 1))


@dataclass(frozen=True)
class RetryPolicy:
    """When a step is retried.

    Each pause is shortened at random by up to half, so that clients do not retry at the same instant.
    """

    attempts: float = 5
    """How many at most; `math.inf` where the deadline alone counts."""
    pauses: Pauses = Pauses()
    deadline: float = math.inf
    """Seconds after which no other attempt begins."""
    fewer: Mapping[type[Transient], int] = field(default_factory=lambda: {FileChanged: 1})
    """Errors that deserve fewer attempts. A file that changes is left to the next run."""
    log: Callable[[str], None] = _logger.info

    def call(
        self,
        work: Callable[[], T],
        *,
        cancelled: threading.Event | None = None,
        progress: Callable[[], float] = lambda: 0,
    ) -> T:
        """Return what `work` returns.

        Args:
            work: One attempt.
            cancelled: Ends the pauses when it is set.
            progress: How far the work has come; after an attempt that advanced it, attempts are counted anew.

        Raises:
            Transient: The last failure, after the last attempt.
            CdpSyncError: An error that another attempt would not change, at once.
            Cancelled: `cancelled` was set before another attempt.
        """
        begun, reached = time.monotonic(), progress()
        try:
            return work()
        except Transient as problem:
            first: Transient | None = problem
        # tenacity is imported, and its state made, only where something failed: many steps are short.
        import tenacity

        def attempt() -> T:
            nonlocal first
            problem, first = first, None
            if problem:
                raise problem
            if cancelled and cancelled.is_set():
                raise Cancelled
            return work()

        def count_anew_after_progress(state: "RetryCallState") -> None:
            nonlocal reached
            before, reached = reached, progress()
            if reached > before:
                state.attempt_number = 1

        def is_last(state: "RetryCallState") -> bool:
            fewer = (attempts for kind, attempts in self.fewer.items() if isinstance(_problem(state), kind))
            return state.attempt_number >= min([self.attempts, *fewer]) or time.monotonic() - begun >= self.deadline

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Transient),
            after=count_anew_after_progress,
            stop=is_last,
            wait=lambda state: self.pauses.after(state.attempt_number) * _random.uniform(0.5, 1.0),
            before_sleep=lambda state: self.log(
                f"{_problem(state).found} Attempt {state.attempt_number + 1} of {self.attempts} "
                f"in {state.upcoming_sleep:.1f} s."
            ),
            sleep=tenacity.sleep_using_event(cancelled) if cancelled else time.sleep,
            reraise=True,
        )
        return retrying(attempt)


def wait_until(
    done: Callable[[], bool], pauses: Pauses, left: Callable[[], float], sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Ask with growing pauses whether something is done, at least once; return whether it is.

    Args:
        done: Asks.
        pauses: Between two questions.
        left: Returns how many seconds are left; without any, nothing more is asked.
        sleep: Waits so many seconds.
    """
    import tenacity

    asking = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda is_done: not is_done),
        stop=lambda _state: left() <= 0,
        wait=lambda state: max(0.0, min(pauses.after(state.attempt_number), left())),
        sleep=sleep,
        retry_error_callback=lambda _state: False,
    )
    return bool(asking(done))


def _problem(state: "RetryCallState") -> Transient:
    problem = state.outcome.exception() if state.outcome else None
    assert isinstance(problem, Transient)  # noqa: S101 - all that is retried
    return problem
