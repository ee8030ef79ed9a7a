"""Waiting for a job at Sailthru: with growing pauses, and not for ever."""

import time
from collections.abc import Callable

from cdp_sync.connectors.sailthru.values import Job
from cdp_sync.errors import JobFailed, JobLost, JobUnfinished

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.1, 30.0, 1.05
"""Seconds, and by how much each is longer than the one before: a twentieth of a job's time is lost at most."""
_UNSEEN = 30.0
"""Seconds in which a job that was just started may not be known yet: reads are eventually consistent."""


def ended(
    look: Callable[[], Job],
    deadline: float,
    on_poll: Callable[[Job], None] | None,
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Return a job once it is completed.

    Args:
        look: Returns how it is.
        deadline: Seconds from now that it gets.
        on_poll: Called with how it is, at every look.
        wait: Waits so many seconds.
        clock: Seconds, never running backwards.

    Raises:
        JobFailed: It ended without a result.
        JobLost: It is not known, or its result is there no more.
        JobUnfinished: It did not end in time.
    """
    begun, pause, job = clock(), _FIRST_PAUSE, None
    while True:
        try:
            job = look()
        except JobLost:
            if job or clock() - begun >= _UNSEEN:
                raise
        if job and on_poll:
            on_poll(job)
        if job and _is_over(job):
            return job
        left = deadline - (clock() - begun)
        if left <= 0:
            raise JobUnfinished(
                f"The job did not end within {deadline:g} s; "
                f"Sailthru says {job.status if job else 'nothing about it'!r}.",
                remedy="It may still end. If that repeats, allow more time.",
            )
        wait(min(pause, left))
        pause = min(_LONGEST_PAUSE, pause * _GROWTH)


def _is_over(job: Job) -> bool:
    if job.failed:
        raise JobFailed("The job failed at Sailthru, which does not say why.", remedy="The next run starts another.")
    if job.expired:
        raise JobLost("The job's result is there no more.", remedy="The next run starts another.")
    return job.completed
