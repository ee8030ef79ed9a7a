"""The rate limiter, simulated with a platform in simulated time: the limit is kept and nearly used up."""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_sync.connectors.http.rate_limit import SOON, Bucket, PlatformClock, Rate, RateInfo, Ticket, Window

MINUTE = 60.0


@dataclass
class Simulation:
    """Workers that call a platform without a pause. The platform refuses nothing and counts its calls by minute."""

    limit: int
    workers: int
    latency: float
    """The maximum round trip in seconds; each direction takes a random part of half of it."""
    ahead: float
    """Offset of the platform's clock from ours, in seconds."""
    seed: int = 0
    dated: bool = True
    loses: float = 0.0
    """Probability that a call has no answer."""
    headers: bool = True
    """Whether answers have rate-limit headers."""
    bucket: Bucket | None = None
    """The declared limit."""
    others: int = 0
    """Calls of other clients of the account at the start of each minute."""
    now: float = 1000.0
    handled: Counter[int] = field(default_factory=Counter)
    """Our calls, by minute of the platform."""
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with all workers idle."""
        self.clock = PlatformClock()
        self.window = Window(self.clock, bucket=self.bucket)
        self.instants: list[float] = []
        """Times of the calls, by the platform's clock."""
        self.idle = self.workers
        self.rng = random.Random(self.seed)
        self.number = 0

    def run(self, seconds: float) -> None:
        """Run the simulation for some seconds."""
        end = self.now + seconds
        self.schedule(self.now, self.start_calls)
        while self._events and self._events[0][0] <= end:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def schedule(self, instant: float, event: Callable[[], None]) -> None:
        """Schedule an event."""
        self.number += 1
        heapq.heappush(self._events, (instant, self.number, event))

    def start_calls(self) -> None:
        """Start every call that the window allows."""
        while self.idle and (pause := self.window.pause(self.now)) == 0:
            self.idle -= 1
            ticket = self.window.start()
            self.schedule(self.now + self.latency_of_one_way(), lambda ticket=ticket: self.handle(ticket))
        if self.idle and pause != SOON:
            self.schedule(self.now + pause, self.start_calls)

    def latency_of_one_way(self) -> float:
        """Return the random latency of one direction."""
        return self.latency / 2 * self.rng.random()

    def handle(self, ticket: Ticket) -> None:
        """Process a call on the platform."""
        there = self.now + self.ahead
        minute = math.floor(there / MINUTE)
        self.handled[minute] += 1
        self.instants.append(there)
        rate = Rate(self.limit, max(0, self.limit - self.handled[minute] - self.others), int((minute + 1) * MINUTE))
        if self.rng.random() < self.loses:
            self.schedule(self.now + self.latency_of_one_way(), lambda: self.lose(ticket))
        else:
            self.schedule(self.now + self.latency_of_one_way(), lambda: self.receive(rate, math.floor(there), ticket))

    def receive(self, rate: Rate, date: float, ticket: Ticket) -> None:
        """Process an answer."""
        info = RateInfo(rate if self.headers else None, date if self.dated else None)
        self.clock.learn(info, self.now)
        self.window.answered(info, self.now, ticket)
        self.idle += 1
        self.start_calls()

    def lose(self, ticket: Ticket) -> None:
        """Process the loss of an answer."""
        self.window.lost(self.now, ticket)
        self.idle += 1
        self.start_calls()

    def full_minutes(self) -> list[int]:
        """Return the number of calls in each complete minute, except for the first."""
        return [self.handled[minute] for minute in sorted(self.handled)[2:-1]]


simulations = st.builds(
    Simulation,
    limit=st.integers(1, 120),
    workers=st.integers(1, 24),
    latency=st.floats(0.01, 5),
    ahead=st.floats(-5000, 5000),
    seed=st.integers(0, 2**32),
    dated=st.booleans(),
)


@settings(max_examples=150)
@given(simulations, st.sampled_from([0.0, 0.0, 0.1]))
def test_the_limit_is_never_exceeded(simulation: Simulation, loses: float) -> None:
    """A minute of the platform never has too many calls, whatever the latency, workers, clocks and lost answers."""
    simulation.loses = loses
    if loses:  # while nothing is known, a lost call can be followed only by another
        simulation.limit += 10
    simulation.run(400)
    assert max(simulation.handled.values()) <= simulation.limit


@settings(max_examples=100)
@given(simulations)
def test_at_least_nine_tenths_of_the_limit_are_used(simulation: Simulation) -> None:
    """At least nine tenths of the limit are used in each full minute, as far as workers and latency allow."""
    simulation.latency = min(simulation.latency, 1.0)
    possible = simulation.workers / simulation.latency * (MINUTE - 3 * simulation.latency - 1)
    if not simulation.dated:  # its minutes differ from ours, and a burst may fall into either
        possible = math.inf if possible > 5 * simulation.limit else 0
    simulation.run(400)
    if possible > simulation.limit:
        assert min(simulation.full_minutes()) >= math.floor(0.9 * simulation.limit)


@settings(max_examples=50)
@given(simulations)
def test_calls_of_other_clients_count(simulation: Simulation) -> None:
    """Calls of other clients with the same account count, as the platform's own counter includes them."""
    simulation.limit, simulation.others = 100, 40
    simulation.run(300)
    assert max(simulation.handled.values()) <= 60


@settings(max_examples=60)
@given(simulations, st.integers(1, 12), st.floats(1, 90), st.sampled_from([0.0, 0.1]), st.booleans())
def test_a_declared_bucket_is_never_exceeded(
    simulation: Simulation, calls: int, seconds: float, loses: float, headers: bool
) -> None:
    """No interval of the bucket's length has more calls than it allows, with and without headers."""
    simulation.limit, simulation.loses, simulation.headers, simulation.bucket = (
        simulation.limit + 30,
        loses,
        headers,
        Bucket(calls, seconds),
    )
    simulation.__post_init__()
    simulation.run(130)
    handled = sorted(simulation.instants)
    assert all(later - first > seconds for first, later in zip(handled, handled[calls:], strict=False))
    if headers:
        assert max(simulation.handled.values()) <= simulation.limit
    assert len(handled) >= min(simulation.workers, calls)


def test_a_declared_bucket_needs_no_headers() -> None:
    """Without headers, calls start at once up to the bucket's limit; the next one waits."""
    window = Window(PlatformClock(), bucket=Bucket(2, 10))
    first, second = window.start(), window.start()
    assert window.pause(0) == SOON
    window.answered(RateInfo(), 1, first)
    window.answered(RateInfo(), 3, second)
    assert window.pause(3) == 8
    assert window.pause(11) == 0
    window.start()
    assert window.pause(11) == 2


def test_the_first_call_is_made_alone() -> None:
    """The first call of each window is made alone; the others wait for its answer."""
    window = Window(PlatformClock())
    assert window.pause(0) == 0
    first = window.start()
    assert window.pause(0) == SOON
    window.answered(RateInfo(Rate(10, 9, 60)), 1, first)
    assert window.pause(1) == 0
    assert not window.start().probe
    assert window.pause(70) == 0  # another minute
    assert window.start().probe
    assert window.pause(70) == SOON


def test_answers_may_arrive_in_any_order() -> None:
    """Answers may arrive in any order: the highest count applies, plus the calls in flight."""
    window = Window(PlatformClock())
    window.answered(RateInfo(Rate(4, 3, 60)), 0, window.start())
    first, second, _third = [window.start() for _ in range(3)]
    assert window.pause(0) > 0
    window.answered(RateInfo(Rate(4, 0, 60)), 0, second)
    window.answered(RateInfo(Rate(4, 2, 60)), 0, first)
    assert window.counted == 4


def test_a_refused_call_closes_the_window_until_it_ends() -> None:
    """A refused call closes the window until it ends by the platform's clock, 100 s ahead of ours here."""
    clock = PlatformClock()
    window = Window(clock)
    refused = RateInfo(Rate(10, 5, 1140), date=1110, refused=True)
    clock.learn(refused, 1010.5)
    window.answered(refused, 1010.5, window.start())
    assert 30 < window.pause(1010.5) < 30.6
    assert window.pause(1041.1) == 0


def test_a_refused_call_closes_the_window_for_retry_after() -> None:
    """A refused call closes the window for as long as `Retry-After` says."""
    window = Window(PlatformClock())
    window.answered(RateInfo(refused=True, retry_after=7), 0, window.start())
    assert window.pause(0) == 7


def test_without_headers_and_bucket_there_is_no_limit() -> None:
    """Without headers and bucket, calls do not wait."""
    window = Window(PlatformClock())
    window.answered(RateInfo(), 0, window.start())
    assert {window.pause(1) for _ in range(1000) if not window.start().probe} == {0.0}


def test_a_lost_probe_is_followed_by_another() -> None:
    """A first call whose answer is lost is followed by another."""
    window = Window(PlatformClock())
    window.lost(0, window.start())
    assert window.pause(0) == 0
    assert window.start().probe
