"""How many calls a platform allows, as its answers tell it, and when the next one may go. No I/O, no clock.

A platform counts in fixed windows: so many calls until an instant by its own clock, then the count starts anew. Several
answers may arrive in another order than they were given, calls may be lost, others may use the same account. So the
highest count that was told holds, and every call that is not answered yet is counted on top of it.
"""

import math
from dataclasses import dataclass, field

SOON = math.inf
"""Wait for an answer: it tells more."""

_MARGIN = 0.01
"""Seconds: two clocks never run at quite the same speed."""


@dataclass(frozen=True)
class Rate:
    """What one answer tells."""

    limit: int
    """Calls allowed in a window."""
    remaining: int
    """Of these, calls left."""
    reset: float
    """When the window ends: seconds since 1970 by the platform's clock."""

    @property
    def counted(self) -> int:
        """Calls the platform has counted in this window."""
        return max(0, self.limit - self.remaining)


class PlatformClock:
    """How far the platform's clock is ahead of ours, at least: the `Date` of its answers tells it, in whole seconds."""

    def __init__(self) -> None:
        self._ahead = -math.inf

    def told(self, date: float, now: float) -> None:
        """Learn from an answer.

        Args:
            date: Its `Date`, cut to whole seconds: the platform's clock showed that or later when it answered.
            now: What our clock showed later.
        """
        self._ahead = max(self._ahead, date - now)

    def forget(self) -> None:
        """Believe nothing of what was told so far."""
        self._ahead = -math.inf

    def here(self, instant: float) -> float:
        """Return when, by our clock, the platform's has reached an instant for certain; infinity when nobody knows."""
        return instant - self._ahead + _MARGIN


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that is under way."""

    scout: bool
    """Whether it goes ahead of the others."""
    lost: int
    """How many were lost before it went."""


@dataclass
class Window:
    """The calls to one endpoint in the current window.

    Before anything is known, and again when a window has ended, one call goes ahead alone; the others wait for what its
    answer tells.
    """

    clock: PlatformClock
    length: float = 60.0
    """Seconds a window lasts at most; matters when answers have no `Date`."""
    limit: float = 0.0
    counted: int = 0
    reset: float = -math.inf
    """The end of the window by the platform's clock."""
    in_flight: int = 0
    scouting: bool = False
    """Whether the call that goes ahead is under way."""
    _known: bool = field(default=False, repr=False)
    _seen: float = field(default=-math.inf, repr=False)
    """When the first answer of this window came."""
    _shut_until: float = field(default=-math.inf, repr=False)
    _lost: int = field(default=0, repr=False)
    """Calls without an answer, ever."""

    def pause(self, now: float) -> float:
        """Return how many seconds the next call must wait: 0 for none, `SOON` until an answer comes."""
        if now < self._shut_until:
            return self._shut_until - now
        if self._known and now >= self._ends:
            self._known = False
        if not self._known:
            return SOON if self.scouting else 0.0
        if self.counted + self.in_flight < self.limit:
            return 0.0
        return self._ends - now

    def start(self) -> Ticket:
        """Count a call that goes out; its end is told with what is returned."""
        self.in_flight += 1
        ticket = Ticket(scout=not self._known, lost=self._lost)
        self.scouting = self.scouting or ticket.scout
        return ticket

    def answered(self, rate: Rate | None, now: float, ticket: Ticket) -> None:
        """Learn from an answer.

        Args:
            rate: What it tells about the rate, if anything: without, the platform is taken to know no limit.
            now: What the clock shows.
            ticket: Of the call.
        """
        self._returned(ticket)
        unknown = ticket.scout and not self._known
        if rate is None:
            self._untold(now, unknown=unknown)
            return
        counted = rate.counted + self._lost - ticket.lost  # what was lost meanwhile may have arrived after this call
        if rate.reset > self.reset or unknown:
            self._begin(rate.limit, counted, rate.reset, now)
        elif rate.reset == self.reset and self._known:
            self.counted, self.limit = max(self.counted, counted), rate.limit

    def lost(self, ticket: Ticket) -> None:
        """Count a call without an answer: it may have arrived."""
        self._returned(ticket)
        self.counted += 1
        self._lost += 1

    def shut(self, now: float, seconds: float | None = None) -> None:
        """Let nothing through: the platform refused a call for the rate's sake.

        Args:
            now: What the clock shows.
            seconds: For so long, if the platform told it; else until the window ends.
        """
        until = self._ends if self._known else now + self.length
        self._shut_until = max(self._shut_until, until if seconds is None else now + seconds)

    @property
    def _ends(self) -> float:
        latest = self._seen + self.length
        return latest if math.isinf(self.limit) else min(self.clock.here(self.reset), latest)

    def _begin(self, limit: float, counted: int, reset: float, now: float) -> None:
        self.limit, self.counted, self.reset = limit, counted, reset
        self._known, self._seen = True, now

    def _untold(self, now: float, *, unknown: bool) -> None:
        self.counted += 1
        if unknown:
            self._begin(math.inf, 0, self.reset, now)

    def _returned(self, ticket: Ticket) -> None:
        self.in_flight -= 1
        self.scouting = self.scouting and not ticket.scout
