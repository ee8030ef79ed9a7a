"""Rate limits, counted per endpoint and method: in windows of the calendar, or in a leaky bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls allowed in a time.

    Attributes:
        calls: How many.
        seconds: In which time; a minute unless declared.
        leaky: Whether calls are allowed again one by one as time passes. Otherwise all of them are allowed again when
            the next window of the calendar begins, such as the next full minute.
    """

    calls: int
    seconds: float = 60
    leaky: bool = False


UNLIMITED = Limit(1_000_000_000)
"""Stands in where no limit is declared, so that every answer can carry the headers."""

Limits = Mapping[tuple[str, str], Limit]
"""By endpoint and method; the endpoint `*` stands for all that are not named."""


def faster(limits: Limits, factor: float) -> Limits:
    """Return limits whose times pass faster by a factor, for tests in which no clock is moved."""
    return {kind: replace(limit, seconds=limit.seconds / factor) for kind, limit in limits.items()}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a call.

    Attributes:
        limit: The number of calls it allows.
        remaining: The number of calls left.
        reset: When a call is allowed again (leaky) or the next window begins, in seconds since 1970.
        allowed: Whether the call that was counted is within the limit.
    """

    limit: int
    remaining: int
    reset: int
    allowed: bool


class Meter:
    """Counts calls against limits. A call beyond the limit is not counted."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, limits: Limits, endpoint: str, method: str, now: float) -> Allowance:
        """Count a call and return what is left."""
        limit = limits.get((endpoint, method)) or limits.get(("*", method)) or UNLIMITED
        since, used = self._used.get((endpoint, method), (now, 0.0))
        if limit.leaky:
            begins = now
            used = max(0.0, used - (now - since) * limit.calls / limit.seconds)
        else:
            begins = now // limit.seconds * limit.seconds
            used = used if since == begins else 0.0
        allowed = used + 1 <= limit.calls + 1e-9  # a bucket leaks in fractions
        used += allowed
        self._used[endpoint, method] = begins, used
        wait = max(0.0, used + 1 - limit.calls) * limit.seconds / limit.calls if limit.leaky else limit.seconds
        return Allowance(limit.calls, int(limit.calls - used), ceil(begins + wait), allowed)
