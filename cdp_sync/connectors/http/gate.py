"""Holds back calls so that a platform's rate is never exceeded and hardly any of it is left unused."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from cdp_sync.connectors.http.rates import SOON, PlatformClock, Rate, Ticket, Window

Wait = Callable[[threading.Condition, float | None], object]
"""Lets go of a condition until somebody notifies it, or so many seconds have passed."""


@dataclass(frozen=True)
class Told:
    """What an answer tells about calls to come."""

    rate: Rate | None
    date: float | None = None
    """The platform's clock, in seconds since 1970, cut to whole ones."""
    refused: bool = False
    """Whether the call was refused for the rate's sake."""
    retry_after: float | None = None
    """Seconds to wait, if it says so."""


class RateGate:
    """Lets calls through as the platform allows them, each kind of call by itself; for any number of threads.

    Args:
        length: Seconds that a window lasts at most.
        clock: Seconds, never running backwards.
        wait: How a thread waits.
    """

    def __init__(
        self,
        *,
        length: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self._clock = clock
        self._wait = wait
        self._platform = PlatformClock()
        self._lanes: defaultdict[Hashable, _Lane] = defaultdict(lambda: _Lane(Window(self._platform, length)))

    def enter(self, kind: Hashable, given_up: threading.Event | None = None) -> "Passage | None":
        """Wait until a call may go, and return what its answer is told to.

        Args:
            kind: What the platform counts by itself, such as endpoint and method.
            given_up: When set, nobody waits any more, and nothing is returned; see `wake`.
        """
        lane = self._lanes[kind]
        with lane.condition:
            while not (given_up and given_up.is_set()):
                pause = lane.window.pause(self._clock())
                if pause <= 0:
                    return Passage(lane, self._platform, self._clock, lane.window.start())
                self._wait(lane.condition, None if pause == SOON else pause)
        return None

    def wake(self) -> None:
        """Have everyone who waits look whether it is given up."""
        for lane in list(self._lanes.values()):
            lane.wake()


class _Lane:
    """The calls of one kind."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.condition = threading.Condition()

    def wake(self) -> None:
        with self.condition:
            self.condition.notify_all()


class Passage:
    """One call on its way. It must be told how that ended, once."""

    __slots__ = ("_clock", "_lane", "_platform", "_ticket")

    def __init__(self, lane: _Lane, platform: PlatformClock, clock: Callable[[], float], ticket: Ticket) -> None:
        self._lane = lane
        self._platform = platform
        self._clock = clock
        self._ticket = ticket

    def answered(self, told: Told) -> None:
        """Learn from the answer."""
        now = self._clock()
        with self._lane.condition:
            self._learn_time(told, now)
            self._lane.window.answered(told.rate, now, self._ticket)
            if told.refused:
                self._lane.window.shut(now, told.retry_after)
            self._lane.condition.notify_all()

    def lost(self) -> None:
        """There is no answer."""
        with self._lane.condition:
            self._lane.window.lost(self._ticket)
            self._lane.condition.notify_all()

    def _learn_time(self, told: Told, now: float) -> None:
        if told.refused:  # all that we knew did not prevent it
            self._platform.forget()
        if told.date is not None:
            self._platform.told(told.date, now)
