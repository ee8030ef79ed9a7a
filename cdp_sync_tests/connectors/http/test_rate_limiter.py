"""Threads that wait for the rate limit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cdp_sync.connectors.http.rate_limit import Bucket, Rate, RateInfo, RateLimiter
from cdp_sync.errors import RateExceeded
from cdp_sync.retrying import Cancelled

KIND = ("user", "POST")


class SimulatedTime:
    """A simulated clock that each wait advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited: list[float] = []

    def clock(self) -> float:
        """Return the simulated time."""
        return self.now

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Wait for a notification, or advance the clock at once."""
        if seconds is None:
            condition.wait(10)
        else:
            self.now += seconds
            self.waited.append(seconds)


def test_a_thread_waits_for_the_next_window() -> None:
    """A thread waits until the platform's next window begins."""
    time = SimulatedTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    for remaining in (1, 0):
        permit = limiter.acquire(KIND)
        permit.answered(RateInfo(Rate(2, remaining, 1060), date=1030))
    assert limiter.acquire(KIND)
    assert [round(seconds) for seconds in time.waited] == [30]


def test_each_endpoint_has_its_own_limit() -> None:
    """Each pair of endpoint and method has its own rate limit."""
    time = SimulatedTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    permit = limiter.acquire(KIND)
    permit.answered(RateInfo(Rate(1, 0, 1060), date=1030))
    assert limiter.acquire(("user", "GET"))
    assert time.waited == []


def test_waiting_calls_start_after_the_first_answer() -> None:
    """One thread makes the first call; the others wait for its answer."""
    limiter = RateLimiter()
    first = limiter.acquire(KIND)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(limiter.acquire, KIND) for _ in range(8)]
        assert not any(one.done() for one in waiting)
        first.answered(RateInfo(Rate(100, 99, 1060), date=1000))
        assert all(one.result(10) for one in waiting)


def test_a_wait_can_be_cancelled() -> None:
    """Another thread can cancel a wait by setting the event and waking the limiter."""
    limiter, cancelled = RateLimiter(), threading.Event()
    assert limiter.acquire(KIND)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(limiter.acquire, KIND, cancelled=cancelled)
        cancelled.set()
        limiter.wake()
        with pytest.raises(Cancelled):
            waiting.result(10)


def test_a_refusal_resets_the_platforms_clock() -> None:
    """A refusal resets the estimate of the platform's clock to the `Date` of the refusal."""
    time = SimulatedTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    permit = limiter.acquire(KIND)
    permit.answered(RateInfo(Rate(5, 4, 1060), date=1059))
    permit = limiter.acquire(KIND)
    permit.answered(RateInfo(Rate(5, 0, 1060), date=1020, refused=True))
    assert limiter.acquire(KIND)
    assert 40 <= sum(time.waited) < 40.1


def test_a_declared_bucket_needs_no_headers() -> None:
    """A declared bucket limits the calls of its key without any headers. A key without a bucket does not wait."""
    time = SimulatedTime()
    limiter = RateLimiter(buckets={KIND: Bucket(2, 10)}, clock=time.clock, wait=time.wait)
    for _ in range(4):
        limiter.acquire(KIND).answered(RateInfo())
    assert time.waited == [10]
    for _ in range(100):
        limiter.acquire("other").answered(RateInfo())
    assert time.waited == [10]


def test_a_wait_has_a_deadline() -> None:
    """A call that cannot start before its deadline fails at once. A wait for an answer fails at the deadline."""
    time = SimulatedTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    permit = limiter.acquire(KIND)
    with pytest.raises(RateExceeded):
        limiter.acquire(KIND, deadline=5)
    assert time.now == 5
    permit.answered(RateInfo(refused=True, retry_after=100))
    with pytest.raises(RateExceeded):
        limiter.acquire(KIND, deadline=99)
    assert time.now == 5
    limiter.acquire(KIND, deadline=101)
    assert time.now == 105


def test_many_threads_share_a_bucket() -> None:
    """On the real clock, 8 threads with 30 calls never start eleven within a tenth of a second."""
    limiter = RateLimiter(buckets={KIND: Bucket(10, 0.1)})
    instants: list[float] = []

    def call(_number: int) -> None:
        permit = limiter.acquire(KIND, deadline=30)
        instants.append(limiter.clock())
        permit.answered(RateInfo())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(30)))
    instants.sort()
    assert all(later - first > 0.099 for first, later in zip(instants, instants[10:], strict=False))
