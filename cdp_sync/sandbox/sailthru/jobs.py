"""Jobs: pending until their time has come, then completed or failed, and what an export leaves for a while."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.sailthru.refusal import Refused
from cdp_sync.sandbox.sailthru.times import Clock, day, rfc2822

_AT_ONCE = 10
"""Steps of a job that are done while a call waits; the rest is done between other calls."""

Work = Callable[["Job"], Iterator[None]]
"""What a job does, in steps of some milliseconds."""


@dataclass(slots=True)
class Job:
    """A job.

    Attributes:
        kind: `export_list_data`, `update`, …
        told: What answers carry of it besides its state.
        status: `pending`, `completed` or `error`.
        due: When its work begins, in seconds since 1970; never is None.
        fails: Whether it ends as `error` without doing anything.
        filename: Of what an export leaves.
        content: What it leaves, in pieces.
        report: What its answer counts when it is done.
        path: Where an export can be downloaded.
    """

    job_id: str
    kind: str
    told: dict[str, Any]
    work: Work = field(repr=False)
    started: float
    due: float | None
    fails: bool = False
    status: str = "pending"
    ended: float | None = None
    filename: str | None = None
    content: list[bytes] = field(default_factory=list, repr=False)
    report: dict[str, int] = field(default_factory=dict)
    path: str | None = None


class Jobs:
    """Begins jobs when their time has come, which is looked at with each call."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.exports: dict[str, Job] = {}
        """Jobs by the path of their exports."""
        self._waiting: list[Job] = []
        self._working: set[asyncio.Task[None]] = set()

    def add(self, job: Job) -> None:
        """Let a job wait for its time; one that hangs has none."""
        if job.due is not None:
            self._waiting.append(job)

    def settle(self) -> None:
        """Begin what is due: small work is done at once, the rest of it between calls."""
        if not self._waiting:
            return
        now = self.clock()
        due = [job for job in self._waiting if job.due is not None and job.due <= now]
        self._waiting = [job for job in self._waiting if job not in due]
        for job in due:
            self._begin(job)

    def _begin(self, job: Job) -> None:
        steps = iter(()) if job.fails else job.work(job)
        if not self._did(job, steps, _AT_ONCE):
            task = asyncio.get_running_loop().create_task(self._go_on(job, steps))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _go_on(self, job: Job, steps: Iterator[None]) -> None:
        while not self._did(job, steps, 1):
            await asyncio.sleep(0)

    def _did(self, job: Job, steps: Iterator[None], most: int) -> bool:
        """Take some steps and tell whether the job is over."""
        try:
            for _ in range(most):
                if next(steps, _OVER) is _OVER:
                    self._end(job, "error" if job.fails else "completed")
                    return True
        except Refused:
            self._end(job, "error")
            return True
        return False

    def _end(self, job: Job, status: str) -> None:
        job.ended = self.clock()
        if status == "completed" and job.filename:
            job.path = f"export/{day(job.ended)}/{token_hex(16)}"
            self.exports[job.path] = job
        job.status = status

    def answer(self, job: Job, *, lifetime: float, url: str, zone: ZoneInfo) -> dict[str, Any]:
        """Return what is told of a job when it is asked for.

        Args:
            job: Which.
            lifetime: Seconds that an export can be downloaded.
            url: Of the server.
            zone: The account's.
        """
        told = {"job_id": job.job_id, **job.told, "status": job.status}
        told["start_time"] = rfc2822(int(job.started), zone)
        if job.ended is not None:
            told["end_time"] = rfc2822(int(job.ended), zone)
        if job.path is not None:
            told["filename"] = job.filename
            lives = self.lives(job, lifetime)
            told |= {"export_url": f"{url}/{job.path}"} if lives else {"expired": True}
        return told | job.report

    def lives(self, job: Job, lifetime: float) -> bool:
        """Tell whether an export can still be downloaded."""
        return job.ended is not None and self.clock() < job.ended + lifetime


_OVER = object()
