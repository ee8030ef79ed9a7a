"""How many calls go out, simulated with a platform in simulated time: never too many, and hardly too few."""

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
class Play:
    """Workers who call a platform without end; it refuses nothing and counts what it gets in each of its minutes."""

    limit: int
    workers: int
    latency: float
    """The longest, in seconds; each way of each call takes some part of half of it."""
    ahead: float
    """Of the platform's clock before ours, in seconds."""
    seed: int = 0
    dated: bool = True
    loses: float = 0.0
    """How likely it is that no answer comes back."""
    headers: bool = True
    """Whether answers have the headers of the rate."""
    bucket: Bucket | None = None
    """The declared limit."""
    others: int = 0
    """Calls that somebody else makes with the same account at the start of each minute."""
    now: float = 1000.0
    handled: Counter[int] = field(default_factory=Counter)
    """Calls of ours, by the platform's minute."""
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Everybody is idle."""
        self.clock = PlatformClock()
        self.window = Window(self.clock, bucket=self.bucket)
        self.instants: list[float] = []
        """When the platform handled each call, by its clock."""
        self.idle = self.workers
        self.chance = random.Random(self.seed)
        self.number = 0

    def run(self, seconds: float) -> None:
        """Play so long."""
        end = self.now + seconds
        self.at(self.now, self.go)
        while self._events and self._events[0][0] <= end:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def at(self, instant: float, event: Callable[[], None]) -> None:
        """Let something happen."""
        self.number += 1
        heapq.heappush(self._events, (instant, self.number, event))

    def go(self) -> None:
        """Let everybody call who may."""
        while self.idle and (pause := self.window.pause(self.now)) == 0:
            self.idle -= 1
            ticket = self.window.start()
            self.at(self.now + self.way(), lambda ticket=ticket: self.handle(ticket))
        if self.idle and pause != SOON:
            self.at(self.now + pause, self.go)

    def way(self) -> float:
        """Return how long one way takes."""
        return self.latency / 2 * self.chance.random()

    def handle(self, ticket: Ticket) -> None:
        """The platform gets a call."""
        there = self.now + self.ahead
        minute = math.floor(there / MINUTE)
        self.handled[minute] += 1
        self.instants.append(there)
        rate = Rate(self.limit, max(0, self.limit - self.handled[minute] - self.others), int((minute + 1) * MINUTE))
        if self.chance.random() < self.loses:
            self.at(self.now + self.way(), lambda: self.lose(ticket))
        else:
            self.at(self.now + self.way(), lambda: self.back(rate, math.floor(there), ticket))

    def back(self, rate: Rate, date: float, ticket: Ticket) -> None:
        """An answer arrives."""
        info = RateInfo(rate if self.headers else None, date if self.dated else None)
        self.clock.learn(info, self.now)
        self.window.answered(info, self.now, ticket)
        self.idle += 1
        self.go()

    def lose(self, ticket: Ticket) -> None:
        """A call has no answer."""
        self.window.lost(self.now, ticket)
        self.idle += 1
        self.go()

    def full_minutes(self) -> list[int]:
        """Return the calls of the minutes that were played from start to end, without the first such."""
        return [self.handled[minute] for minute in sorted(self.handled)[2:-1]]


plays = st.builds(
    Play,
    limit=st.integers(1, 120),
    workers=st.integers(1, 24),
    latency=st.floats(0.01, 5),
    ahead=st.floats(-5000, 5000),
    seed=st.integers(0, 2**32),
    dated=st.booleans(),
)


@settings(max_examples=150)
@given(plays, st.sampled_from([0.0, 0.0, 0.1]))
def test_no_minute_of_the_platform_gets_more_calls_than_it_allows(play: Play, loses: float) -> None:
    """Whatever the limit, latency, workers and clocks are, with and without `Date`, and where answers get lost."""
    play.loses = loses
    if loses:  # while nothing is known, a lost call can be followed only by another
        play.limit += 10
    play.run(400)
    assert max(play.handled.values()) <= play.limit


@settings(max_examples=100)
@given(plays)
def test_at_least_nine_tenths_of_what_is_allowed_are_used(play: Play) -> None:
    """In every full minute, if that many calls can be made at all by so few workers with such a latency."""
    play.latency = min(play.latency, 1.0)
    possible = play.workers / play.latency * (MINUTE - 3 * play.latency - 1)
    if not play.dated:  # its minutes are cut at other places than ours; what is used at once is used in each
        possible = math.inf if possible > 5 * play.limit else 0
    play.run(400)
    if possible > play.limit:
        assert min(play.full_minutes()) >= math.floor(0.9 * play.limit)


@settings(max_examples=50)
@given(plays)
def test_calls_of_others_with_the_same_account_count(play: Play) -> None:
    """What others have used is left out: the platform's own count holds."""
    play.limit, play.others = 100, 40
    play.run(300)
    assert max(play.handled.values()) <= 60


@settings(max_examples=60)
@given(plays, st.integers(1, 12), st.floats(1, 90), st.sampled_from([0.0, 0.1]), st.booleans())
def test_a_declared_bucket_is_never_exceeded(
    play: Play, calls: int, seconds: float, loses: float, headers: bool
) -> None:
    """In no span of its length, wherever it begins; with and without headers, whose limit holds beside it."""
    play.limit, play.loses, play.headers, play.bucket = play.limit + 30, loses, headers, Bucket(calls, seconds)
    play.__post_init__()
    play.run(130)
    handled = sorted(play.instants)
    assert all(later - first > seconds for first, later in zip(handled, handled[calls:], strict=False))
    if headers:
        assert max(play.handled.values()) <= play.limit
    assert len(handled) >= min(play.workers, calls)


def test_a_declared_bucket_needs_no_headers() -> None:
    """An answer without headers says nothing about it; calls go at once up to the limit, the next one after it."""
    window = Window(PlatformClock(), bucket=Bucket(2, 10))
    first, second = window.start(), window.start()
    assert window.pause(0) == SOON
    window.answered(RateInfo(), 1, first)
    window.answered(RateInfo(), 3, second)
    assert window.pause(3) == 8
    assert window.pause(11) == 0
    window.start()
    assert window.pause(11) == 2


def test_the_first_call_goes_ahead_alone() -> None:
    """Before anything is known, and again in each new window; the others wait for what its answer says."""
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


def test_answers_may_arrive_in_another_order_than_they_were_given() -> None:
    """The highest count holds, and calls under way are counted on top of it."""
    window = Window(PlatformClock())
    window.answered(RateInfo(Rate(4, 3, 60)), 0, window.start())
    first, second, _third = [window.start() for _ in range(3)]
    assert window.pause(0) > 0
    window.answered(RateInfo(Rate(4, 0, 60)), 0, second)
    window.answered(RateInfo(Rate(4, 2, 60)), 0, first)
    assert window.counted == 4


def test_a_refused_call_closes_until_the_window_ends() -> None:
    """By the platform's clock: what its `Date` says, 100 s ahead of ours here."""
    clock = PlatformClock()
    window = Window(clock)
    refused = RateInfo(Rate(10, 5, 1140), date=1110, refused=True)
    clock.learn(refused, 1010.5)
    window.answered(refused, 1010.5, window.start())
    assert 30 < window.pause(1010.5) < 30.6
    assert window.pause(1041.1) == 0


def test_a_refused_call_closes_for_as_long_as_the_platform_says() -> None:
    """As `Retry-After` does."""
    window = Window(PlatformClock())
    window.answered(RateInfo(refused=True, retry_after=7), 0, window.start())
    assert window.pause(0) == 7


def test_without_headers_and_bucket_there_is_no_limit() -> None:
    """Calls go as they come."""
    window = Window(PlatformClock())
    window.answered(RateInfo(), 0, window.start())
    assert {window.pause(1) for _ in range(1000) if not window.start().probe} == {0.0}


def test_a_lost_probe_is_followed_by_another() -> None:
    """Nobody waits for an answer that does not come."""
    window = Window(PlatformClock())
    window.lost(0, window.start())
    assert window.pause(0) == 0
    assert window.start().probe
