"""Rate limit: holds calls back so that a platform's limits are never exceeded and hardly any of them is left unused.

A limit is declared as a bucket (so many calls in so many seconds), stated by the headers of answers, or both; then the
stricter one holds. Each endpoint key is counted by itself.

Headers describe fixed windows: so many calls until an instant by the platform's clock, then the count starts anew.
Answers may arrive out of order, calls may be lost, and others may use the same account. So the highest count that an
answer reported holds, and every call that is not answered yet is counted on top of it. Before anything is known, and
again when a window has ended, one call goes ahead as a probe; the others wait for its answer.

`Window` is pure: it performs no I/O and knows no clock. `RateLimiter` makes threads wait.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from cdp_sync.errors import RateExceeded
from cdp_sync.retrying import Cancelled

SOON = math.inf
"""Wait for an answer: it says more."""
_MARGIN = 0.01
"""Seconds: two clocks never run at quite the same speed."""

Wait = Callable[[threading.Condition, float | None], object]
"""Releases a condition until it is notified, or so many seconds have passed."""


@dataclass(frozen=True)
class Bucket:
    """A declared limit: at most `calls` calls in any `seconds` seconds."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Rate:
    """What the headers of one answer say."""

    limit: int
    """Calls allowed in a window."""
    remaining: int
    """Of these, calls left."""
    reset: float
    """When the window ends: seconds since 1970 by the platform's clock."""


@dataclass(frozen=True)
class RateInfo:
    """What an answer says about calls to come."""

    rate: Rate | None = None
    date: float | None = None
    """The platform's clock, in seconds since 1970, truncated to whole seconds."""
    refused: bool = False
    retry_after: float | None = None
    """Seconds to wait, if the answer says so."""


class PlatformClock:
    """How far the platform's clock is ahead of ours, at least: from the `Date` of its answers, in whole seconds."""

    def __init__(self) -> None:
        self._ahead = -math.inf

    def learn(self, info: RateInfo, now: float) -> None:
        """Learn from an answer that arrived at `now`. A refusal proves that what was known before is wrong."""
        if info.refused:
            self._ahead = -math.inf
        if info.date is not None:
            self._ahead = max(self._ahead, info.date - now)

    def here(self, instant: float) -> float:
        """Return when, by our clock, the platform's has certainly reached an instant; infinity when that is unknown."""
        return instant - self._ahead + _MARGIN


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that is under way."""

    probe: bool
    """Whether the others wait for its answer."""
    lost: int
    """How many calls were lost before it went."""


@dataclass
class Window:
    """The calls to one endpoint in the current window."""

    clock: PlatformClock
    length: float = 60.0
    """Seconds that the platform's window lasts at most; matters when answers have no `Date`."""
    bucket: Bucket | None = None
    """The declared limit. With one, the first calls need no probe."""
    limit: float = 0.0
    counted: int = 0
    reset: float = -math.inf
    """The end of the window by the platform's clock."""
    in_flight: int = 0
    probing: bool = False
    _known: bool = field(default=False, repr=False)
    _seen: float = field(default=-math.inf, repr=False)
    """When the first answer of this window came."""
    _shut_until: float = field(default=-math.inf, repr=False)
    _lost: int = field(default=0, repr=False)
    """Calls without an answer, ever."""
    _held: deque[float] = field(default_factory=deque, repr=False)
    """Until when each finished call takes its place in the bucket."""

    def pause(self, now: float) -> float:
        """Return how many seconds the next call must wait: 0 for none, `SOON` until an answer comes."""
        return max(self._shut_until - now, self._pause_of_bucket(now), self._pause_of_headers(now), 0.0)

    def start(self) -> Ticket:
        """Count a call that goes out; `answered` or `lost` takes what is returned."""
        self.in_flight += 1
        ticket = Ticket(probe=not self._known and self.bucket is None, lost=self._lost)
        self.probing = self.probing or ticket.probe
        return ticket

    def answered(self, info: RateInfo, now: float, ticket: Ticket) -> None:
        """Learn from an answer. Without a rate in it, and without a bucket, the platform is taken to know no limit."""
        self._returned(now, ticket)
        rate, unknown = info.rate, ticket.probe and not self._known
        if rate is None:
            self.counted += 1
            if unknown:
                self._begin(math.inf, 0, self.reset, now)
        else:
            # What was lost meanwhile may have arrived after this call.
            counted = max(0, rate.limit - rate.remaining) + self._lost - ticket.lost
            if rate.reset > self.reset or unknown:
                self._begin(rate.limit, counted, rate.reset, now)
            elif rate.reset == self.reset and self._known:
                self.counted, self.limit = max(self.counted, counted), rate.limit
        if info.refused:
            until = self._ends if self._known else now + self.length
            self._shut_until = max(self._shut_until, until if info.retry_after is None else now + info.retry_after)

    def lost(self, now: float, ticket: Ticket) -> None:
        """Count a call without an answer: it may have arrived."""
        self._returned(now, ticket)
        self.counted += 1
        self._lost += 1

    def _pause_of_headers(self, now: float) -> float:
        if self._known and now >= self._ends:
            self._known = False
        if not self._known:
            return SOON if self.probing else 0.0
        return 0.0 if self.counted + self.in_flight < self.limit else self._ends - now

    def _pause_of_bucket(self, now: float) -> float:
        """Return the pause by the declared limit.

        A call keeps its place until `seconds` after its end: the platform counts it at some moment between its start
        and its end.
        """
        while self._held and self._held[0] <= now:
            self._held.popleft()
        if self.bucket is None or len(self._held) + self.in_flight < self.bucket.calls:
            return 0.0
        return self._held[0] - now if self._held else SOON

    @property
    def _ends(self) -> float:
        latest = self._seen + self.length
        return latest if math.isinf(self.limit) else min(self.clock.here(self.reset), latest)

    def _begin(self, limit: float, counted: int, reset: float, now: float) -> None:
        self.limit, self.counted, self.reset = limit, counted, reset
        self._known, self._seen = True, now

    def _returned(self, now: float, ticket: Ticket) -> None:
        self.in_flight -= 1
        self.probing = self.probing and not ticket.probe
        if self.bucket:
            self._held.append(now + self.bucket.seconds)


@dataclass(frozen=True, eq=False)
class _Lane:
    window: Window
    condition: threading.Condition = field(default_factory=threading.Condition)


class RateLimiter:
    """Lets calls through as the platform allows them; for any number of threads.

    Args:
        buckets: Declared limits by endpoint key, as the platform counts, such as endpoint and method.
        length: Seconds that a window of the platform's headers lasts at most.
        clock: Seconds, never running backwards.
        wait: How a thread waits.
    """

    def __init__(
        self,
        *,
        buckets: Mapping[Hashable, Bucket] | None = None,
        length: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self.clock, self.platform = clock, PlatformClock()
        self._buckets, self._length, self._wait = dict(buckets or {}), length, wait
        self._lanes: dict[Hashable, _Lane] = {}

    def acquire(
        self, key: Hashable, *, cancelled: threading.Event | None = None, deadline: float = math.inf
    ) -> "Permit":
        """Wait until a call may go, and return the permit that its answer is passed to.

        Raises:
            RateExceeded: The wait would last longer than `deadline` seconds.
            Cancelled: `cancelled` was set; see `wake`.
        """
        lane = self._lanes.get(key)  # `setdefault` is atomic: all threads get the same lane
        lane = lane or self._lanes.setdefault(key, _Lane(Window(self.platform, self._length, self._buckets.get(key))))
        until = self.clock() + deadline
        with lane.condition:
            while not (cancelled and cancelled.is_set()):
                now = self.clock()
                pause = lane.window.pause(now)
                if pause <= 0:
                    return Permit(self, lane, lane.window.start())
                if now >= until or (pause < SOON and now + pause > until):
                    raise RateExceeded(
                        f"The rate limit allows no call within {deadline:g} s.",
                        remedy="Others that use the same account may use up its rate.",
                    )
                longest = min(pause, until - now)
                self._wait(lane.condition, None if longest == math.inf else longest)
        raise Cancelled

    def wake(self) -> None:
        """Have every thread that waits check whether it is cancelled."""
        for lane in list(self._lanes.values()):
            with lane.condition:
                lane.condition.notify_all()


@dataclass(frozen=True, slots=True)
class Permit:
    """One call on its way. Exactly one of its methods must be called, once; `ended` is called then."""

    _limiter: RateLimiter
    _lane: _Lane
    _ticket: Ticket
    ended: Callable[[], None] = lambda: None

    def answered(self, info: RateInfo) -> None:
        """Learn from the answer."""
        self.ended()
        now = self._limiter.clock()
        with self._lane.condition:
            self._limiter.platform.learn(info, now)
            self._lane.window.answered(info, now, self._ticket)
            self._lane.condition.notify_all()

    def lost(self) -> None:
        """Note that there is no answer."""
        self.ended()
        with self._lane.condition:
            self._lane.window.lost(self._limiter.clock(), self._ticket)
            self._lane.condition.notify_all()
