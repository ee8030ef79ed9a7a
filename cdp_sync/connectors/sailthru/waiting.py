"""Waiting for a job at Sailthru: with growing pauses, and not for ever."""

import time
from collections.abc import Callable

from cdp_sync.connectors.sailthru.answers import Job
from cdp_sync.errors import JobFailed, JobLost, JobUnfinished
from cdp_sync.retrying import Pauses, wait_until

_PAUSES = Pauses(first=0.1, growth=1.05, longest=30.0)
"""Each is longer by a twentieth: that share of a job's time is lost at most."""
_REMEDY = "The next run starts another."
_UNSEEN = 30.0
"""Seconds in which a job that was just started may not be known yet: reads are eventually consistent."""


def ended(
    look: Callable[[], Job],
    deadline: float,
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Return a job once it is completed.

    Args:
        look: Returns how it is.
        deadline: Seconds from now that it gets.
        wait: Waits so many seconds.
        clock: Seconds, never running backwards.

    Raises:
        JobFailed: It ended without a result.
        JobLost: It is not known, or its result is there no more.
        JobUnfinished: It did not end in time.
    """
    begun, job = clock(), Job("")

    def is_over() -> bool:
        nonlocal job
        try:
            job = look()
        except JobLost:
            if job.id or clock() - begun >= _UNSEEN:
                raise
        if job.status == "error":
            raise JobFailed("The job failed at Sailthru, which does not say why.", remedy=_REMEDY)
        if job.expired:
            raise JobLost("The job's result is there no more.", remedy=_REMEDY)
        return job.status == "completed"

    if not wait_until(is_over, _PAUSES, lambda: deadline - (clock() - begun), wait):
        raise JobUnfinished(
            f"The job did not end within {deadline:g} s; Sailthru says {job.status or 'nothing about it'!r}.",
            remedy="It may still end. If that repeats, allow more time.",
        )
    return job
