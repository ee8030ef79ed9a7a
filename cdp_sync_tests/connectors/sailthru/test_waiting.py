"""Polling a job until it ends."""

from collections.abc import Callable, Iterator

import pytest

from cdp_sync.connectors.sailthru.answers import Job
from cdp_sync.connectors.sailthru.waiting import ended
from cdp_sync.errors import JobFailed, JobLost, JobUnfinished

PENDING, DONE = Job("1", "pending"), Job("1", "completed")


class SimulatedTime:
    """A simulated clock that each wait advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds
        self.pauses.append(seconds)

    def clock(self) -> float:
        """Return the simulated time."""
        return self.now


def states(*seen: Job | type[Exception]) -> Callable[[], Job]:
    """Return a function that returns one state of a job after another, and repeats the last."""

    def state_at() -> Iterator[Job | type[Exception]]:
        yield from seen
        while True:
            yield seen[-1]

    found = state_at()

    def next_state() -> Job:
        job = next(found)
        if isinstance(job, Job):
            return job
        raise job("unknown")

    return next_state


def test_pauses_grow_from_a_tenth_of_a_second_to_thirty() -> None:
    """The job is polled at growing intervals, from 0.1 s to 30 s."""
    time = SimulatedTime()
    assert ended(states(*[PENDING] * 130, DONE), 3600, time.wait, time.clock) == DONE
    assert len(time.pauses) == 130
    assert time.pauses == sorted(time.pauses)
    assert (time.pauses[0], time.pauses[-1]) == (0.1, 30)


def test_the_end_of_a_job_is_noticed_soon() -> None:
    """The end of a job is noticed within 6 % of its duration."""
    for seconds in (1, 10, 100):
        time = SimulatedTime()

        def state_at(time: SimulatedTime = time, seconds: int = seconds) -> Job:
            return DONE if time.now >= seconds else PENDING

        ended(state_at, 3600, time.wait, time.clock)
        assert time.now < seconds * 1.06 + 0.1


@pytest.mark.parametrize("status", ["pending", "something new"])
def test_a_job_that_never_ends_times_out(status: str) -> None:
    """A job that never ends is polled once more at the deadline."""
    time = SimulatedTime()
    with pytest.raises(JobUnfinished, match=status):
        ended(states(Job("1", status)), 100, time.wait, time.clock)
    assert time.now == 100


@pytest.mark.parametrize(
    ("job", "kind"),
    [(Job("1", "error"), JobFailed), (Job("1", "completed", expired=True), JobLost)],
)
def test_a_job_without_a_result_is_an_error(job: Job, kind: type[Exception]) -> None:
    """A failed job and an expired result are errors."""
    time = SimulatedTime()
    with pytest.raises(kind):
        ended(states(PENDING, job), 100, time.wait, time.clock)


def test_a_new_job_may_be_unknown() -> None:
    """A new job may be unknown for half a minute. A job that becomes unknown later is lost at once."""
    time = SimulatedTime()
    assert ended(states(JobLost, JobLost, DONE), 100, time.wait, time.clock) == DONE
    with pytest.raises(JobLost):
        ended(states(JobLost), 100, time.wait, time.clock)
    with pytest.raises(JobLost):
        ended(states(PENDING, JobLost), 100, time.wait, time.clock)
