"""How many calls a minute are allowed, counted per endpoint and method in calendar minutes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

UNLIMITED = 1_000_000_000
"""The limit that is told where there is none: the headers are always there."""


@dataclass(frozen=True)
class Limits:
    """Calls allowed in a minute.

    Attributes:
        per_minute: By endpoint and method; what is in neither mapping is not limited.
        others: By method, for endpoints that `per_minute` does not name.
    """

    per_minute: Mapping[tuple[str, str], int] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def documented(cls) -> Self:
        """Return the limits of the vendor's documentation, which are told per second there."""
        return cls(
            {("user", "POST"): 300 * 60, ("send", "POST"): 200 * 60},
            {"GET": 300 * 60, "POST": 40 * 60, "DELETE": 40 * 60},
        )

    def of(self, endpoint: str, method: str) -> int:
        """Return how many calls a minute are allowed."""
        return self.per_minute.get((endpoint, method), self.others.get(method, UNLIMITED))


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of a minute.

    Attributes:
        limit: Calls allowed in it.
        remaining: Calls left in it.
        reset: When the next one begins, in seconds since 1970.
        allowed: Whether the call that was counted is one of those.
    """

    limit: int
    remaining: int
    reset: int
    allowed: bool

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The three headers of every answer."""
        return [
            (b"x-rate-limit-limit", b"%d" % self.limit),
            (b"x-rate-limit-remaining", b"%d" % self.remaining),
            (b"x-rate-limit-reset", b"%d" % self.reset),
        ]


class Windows:
    """Counts calls in their minutes."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, endpoint: str, method: str, limit: int, now: float) -> Window:
        """Count a call; one beyond the limit takes nothing."""
        minute = int(now // 60)
        counted_in, used = self._used.get((endpoint, method), (minute, 0))
        if counted_in != minute:
            used = 0
        allowed = used < limit
        used += allowed
        self._used[endpoint, method] = (minute, used)
        return Window(limit, limit - used, (minute + 1) * 60, allowed)
