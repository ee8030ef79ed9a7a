"""Threads that wait for the rate limit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cdp_sync.connectors.http.rate_limit import Bucket, Rate, RateInfo, RateLimiter
from cdp_sync.errors import RateExceeded
from cdp_sync.retrying import Cancelled

KIND = ("user", "POST")


class MadeUpTime:
    """A clock that waiting moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited: list[float] = []

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Wait for a notice, or let the time pass at once."""
        if seconds is None:
            condition.wait(10)
        else:
            self.now += seconds
            self.waited.append(seconds)


def test_a_thread_waits_for_the_next_window_rather_than_failing() -> None:
    """It goes on when the platform's minute has begun."""
    time = MadeUpTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    for remaining in (1, 0):
        permit = limiter.acquire(KIND)
        permit.answered(RateInfo(Rate(2, remaining, 1060), date=1030))
    assert limiter.acquire(KIND)
    assert [round(seconds) for seconds in time.waited] == [30]


def test_each_kind_of_call_has_its_own_rate() -> None:
    """A used-up rate of one endpoint and method holds back no other."""
    time = MadeUpTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    permit = limiter.acquire(KIND)
    permit.answered(RateInfo(Rate(1, 0, 1060), date=1030))
    assert limiter.acquire(("user", "GET"))
    assert time.waited == []


def test_those_who_wait_go_when_the_first_answer_comes() -> None:
    """Of many threads one goes ahead; the others follow it."""
    limiter = RateLimiter()
    first = limiter.acquire(KIND)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(limiter.acquire, KIND) for _ in range(8)]
        assert not any(one.done() for one in waiting)
        first.answered(RateInfo(Rate(100, 99, 1060), date=1000))
        assert all(one.result(10) for one in waiting)


def test_a_wait_can_be_cancelled() -> None:
    """By another thread, which sets the event and wakes those who wait."""
    limiter, cancelled = RateLimiter(), threading.Event()
    assert limiter.acquire(KIND)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(limiter.acquire, KIND, cancelled=cancelled)
        cancelled.set()
        limiter.wake()
        with pytest.raises(Cancelled):
            waiting.result(10)


def test_a_refusal_resets_what_is_known_of_the_platforms_clock() -> None:
    """It was wrong, or there would have been no refusal; the refusal's own `Date` holds."""
    time = MadeUpTime()
    limiter = RateLimiter(clock=time.clock, wait=time.wait)
    permit = limiter.acquire(KIND)
    permit.answered(RateInfo(Rate(5, 4, 1060), date=1059))
    permit = limiter.acquire(KIND)
    permit.answered(RateInfo(Rate(5, 0, 1060), date=1020, refused=True))
    assert limiter.acquire(KIND)
    assert 40 <= sum(time.waited) < 40.1


def test_a_declared_bucket_holds_without_headers() -> None:
    """Each key has its own; a key without a bucket is not held back."""
    time = MadeUpTime()
    limiter = RateLimiter(buckets={KIND: Bucket(2, 10)}, clock=time.clock, wait=time.wait)
    for _ in range(4):
        limiter.acquire(KIND).answered(RateInfo())
    assert time.waited == [10]
    for _ in range(100):
        limiter.acquire("other").answered(RateInfo())
    assert time.waited == [10]


def test_a_wait_has_a_deadline() -> None:
    """A call that could not go in time fails at once; one that waits for an answer fails when the time is over."""
    time = MadeUpTime()
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


def test_many_threads_keep_to_a_bucket() -> None:
    """By the real clock: of 30 calls by 8 threads no eleven start within a tenth of a second."""
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
