"""Threads at the gate."""

import threading
from concurrent.futures import ThreadPoolExecutor

from cdp_sync.connectors.http.gate import RateGate, Told
from cdp_sync.connectors.http.rates import Rate

KIND = ("user", "POST")


class MadeUpTime:
    """A clock that whoever waits for it moves on."""

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
    gate = RateGate(clock=time.clock, wait=time.wait)
    for remaining in (1, 0):
        passage = gate.enter(KIND)
        assert passage
        passage.answered(Told(Rate(2, remaining, 1060), date=1030))
    assert gate.enter(KIND)
    assert [round(seconds) for seconds in time.waited] == [30]


def test_each_kind_of_call_has_its_own_rate() -> None:
    """A used-up rate of one endpoint and method holds back no other."""
    time = MadeUpTime()
    gate = RateGate(clock=time.clock, wait=time.wait)
    passage = gate.enter(KIND)
    assert passage
    passage.answered(Told(Rate(1, 0, 1060), date=1030))
    assert gate.enter(("user", "GET"))
    assert time.waited == []


def test_those_who_wait_go_when_the_first_answer_comes() -> None:
    """Of many threads one goes ahead; the others follow it."""
    gate = RateGate()
    first = gate.enter(KIND)
    assert first
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(gate.enter, KIND) for _ in range(8)]
        assert not any(one.done() for one in waiting)
        first.answered(Told(Rate(100, 99, 1060), date=1000))
        assert all(one.result(10) for one in waiting)


def test_who_waits_can_be_told_that_it_is_given_up() -> None:
    """Nobody waits longer than there is somebody to wait for."""
    gate, given_up = RateGate(), threading.Event()
    assert gate.enter(KIND)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gate.enter, KIND, given_up)
        given_up.set()
        gate.wake()
        assert waiting.result(10) is None


def test_a_refusal_makes_forget_what_was_known_of_the_platforms_clock() -> None:
    """It was wrong, or there would have been no refusal; the refusal's own `Date` holds."""
    time = MadeUpTime()
    gate = RateGate(clock=time.clock, wait=time.wait)
    passage = gate.enter(KIND)
    assert passage
    passage.answered(Told(Rate(5, 4, 1060), date=1059))
    passage = gate.enter(KIND)
    assert passage
    passage.answered(Told(Rate(5, 0, 1060), date=1020, refused=True))
    assert gate.enter(KIND)
    assert 40 <= sum(time.waited) < 40.1
