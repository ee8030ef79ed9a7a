"""Jobs that take their time, of which only some run at once."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cdp_sync.sandbox.api.clock import Clock
from cdp_sync.sandbox.api.downloads import Download
from cdp_sync.sandbox.api.faults import Refused

_STEPS = 10
"""Steps of a job that are done inside a call; the others are done between calls."""


class State(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


Work = Callable[["Job"], Iterator[None]]
"""What a job does, in steps of some milliseconds."""


@dataclass(slots=True, eq=False)
class Job:
    """A job.

    Attributes:
        job_id: Its id.
        kind: The vendor's name for what it does.
        about: What answers say of it besides its state.
        work: What it does at its end, in steps.
        started: When it was asked for, in seconds since 1970.
        seconds: How long it runs before its work is done; None is for ever.
        fails: Whether it fails without doing its work.
        due: When its work is done; None before it runs.
        ended: When it ended.
        files: What it leaves to download.
        report: What it counted.
    """

    job_id: str
    kind: str
    about: dict[str, Any]
    work: Work = field(repr=False)
    started: float
    seconds: float | None = 0.0
    fails: bool = False
    state: State = State.WAITING
    due: float | None = None
    ended: float | None = None
    files: list[Download] = field(default_factory=list, repr=False)
    report: dict[str, int] = field(default_factory=dict)


class Jobs:
    """Runs jobs by the clock, which is read at each call.

    Args:
        clock: Of their times.
        at_once: How many run at once, the others wait; None is for no bound.
    """

    def __init__(self, clock: Clock, at_once: int | None = None) -> None:
        self.by_id: dict[str, Job] = {}
        self._clock = clock
        self._at_once = at_once
        self._open: list[Job] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, job: Job) -> None:
        """Queue a job."""
        self.by_id[job.job_id] = job
        self._open.append(job)

    def cancel(self, job: Job) -> None:
        """End a job that has not ended; it does nothing more."""
        if job.ended is None:
            self._end(job, State.CANCELLED)

    def settle(self) -> None:
        """Start the jobs that may run and do the work of those that are due."""
        if not self._open:
            return
        now = self._clock()
        for job in list(self._open):
            if job.state == State.WAITING and self._has_room():
                job.state = State.RUNNING
                job.due = None if job.seconds is None else now + job.seconds
            if job.state == State.RUNNING and job.due is not None and job.due <= now:
                self._work(job)

    def _has_room(self) -> bool:
        running = sum(job.state == State.RUNNING for job in self._open)
        return self._at_once is None or running < self._at_once

    def _work(self, job: Job) -> None:
        job.due = None
        steps = iter(()) if job.fails else job.work(job)
        if not self._finishes(job, steps, _STEPS):
            task = asyncio.get_running_loop().create_task(self._work_on(job, steps))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work_on(self, job: Job, steps: Iterator[None]) -> None:
        while not self._finishes(job, steps, 1):
            await asyncio.sleep(0)

    def _finishes(self, job: Job, steps: Iterator[None], most: int) -> bool:
        """Take some steps and return whether the job has ended."""
        try:
            for _ in range(most):
                if job.ended is None and next(steps, _OVER) is _OVER:
                    self._end(job, State.FAILED if job.fails else State.DONE)
        except Refused:
            self._end(job, State.FAILED)
        return job.ended is not None

    def _end(self, job: Job, state: State) -> None:
        job.state, job.ended = state, self._clock()
        self._open.remove(job)


_OVER = object()
