"""Waiting for a job."""

from collections.abc import Callable, Iterator

import pytest

from cdp_sync.connectors.sailthru.answers import Job
from cdp_sync.connectors.sailthru.waiting import ended
from cdp_sync.errors import JobFailed, JobLost, JobUnfinished

PENDING, DONE = Job("1", "pending"), Job("1", "completed")


class MadeUpTime:
    """A clock that waiting moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.pauses.append(seconds)

    def clock(self) -> float:
        """Return the time."""
        return self.now


def looks(*seen: Job | type[Exception]) -> Callable[[], Job]:
    """Return a look at a job: one after the other, the last again and again."""

    def look() -> Iterator[Job | type[Exception]]:
        yield from seen
        while True:
            yield seen[-1]

    found = look()

    def next_look() -> Job:
        job = next(found)
        if isinstance(job, Job):
            return job
        raise job("unknown")

    return next_look


def test_pauses_grow_from_a_tenth_of_a_second_to_thirty() -> None:
    """It is looked at after each of them."""
    time = MadeUpTime()
    assert ended(looks(*[PENDING] * 130, DONE), 3600, time.wait, time.clock) == DONE
    assert len(time.pauses) == 130
    assert time.pauses == sorted(time.pauses)
    assert (time.pauses[0], time.pauses[-1]) == (0.1, 30)


def test_a_job_is_seen_to_be_over_soon_after() -> None:
    """Whether it took a second or minutes."""
    for seconds in (1, 10, 100):
        time = MadeUpTime()

        def look(time: MadeUpTime = time, seconds: int = seconds) -> Job:
            return DONE if time.now >= seconds else PENDING

        ended(look, 3600, time.wait, time.clock)
        assert time.now < seconds * 1.06 + 0.1


@pytest.mark.parametrize("status", ["pending", "something new"])
def test_a_job_that_never_ends_is_not_waited_for_for_ever(status: str) -> None:
    """At its deadline it is looked at once more."""
    time = MadeUpTime()
    with pytest.raises(JobUnfinished, match=status):
        ended(looks(Job("1", status)), 100, time.wait, time.clock)
    assert time.now == 100


@pytest.mark.parametrize(
    ("job", "kind"),
    [(Job("1", "error"), JobFailed), (Job("1", "completed", expired=True), JobLost)],
)
def test_a_job_without_a_result_is_an_error(job: Job, kind: type[Exception]) -> None:
    """Whether it failed or its result is gone."""
    time = MadeUpTime()
    with pytest.raises(kind):
        ended(looks(PENDING, job), 100, time.wait, time.clock)


def test_a_job_that_was_just_started_may_not_be_known_yet() -> None:
    """For half a minute; one that was seen and is not known any more is lost at once."""
    time = MadeUpTime()
    assert ended(looks(JobLost, JobLost, DONE), 100, time.wait, time.clock) == DONE
    with pytest.raises(JobLost):
        ended(looks(JobLost), 100, time.wait, time.clock)
    with pytest.raises(JobLost):
        ended(looks(PENDING, JobLost), 100, time.wait, time.clock)
