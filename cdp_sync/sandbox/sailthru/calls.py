"""What was asked, counted."""

from collections import Counter, deque
from typing import NamedTuple


class Seen(NamedTuple):
    """Calls of a kind in one minute; as a filter, None is for any."""

    endpoint: str | None
    method: str | None
    minute: int | None
    status: int | None


class Calls:
    """Counts calls per endpoint, method, minute and status of the answer, and remembers the last ones."""

    def __init__(self) -> None:
        self._counts: Counter[Seen] = Counter()
        self.recent: deque[tuple[float, str, str, int]] = deque(maxlen=50)
        """Time, method, endpoint and status of the last calls."""

    def note(self, endpoint: str, method: str, now: float, status: int) -> None:
        """Count a call."""
        self._counts[Seen(endpoint, method, int(now // 60), status)] += 1
        self.recent.append((now, method, endpoint, status))

    def count(
        self, endpoint: str | None = None, method: str | None = None, *, minute: int | None = None,
        status: int | None = None,
    ) -> int:  # fmt: skip
        """Return how many calls there were of a kind; `minute` is of those since 1970."""
        wanted = Seen(endpoint, method, minute, status)
        return sum(count for seen, count in list(self._counts.items()) if _fits(seen, wanted))

    def per_minute(self, endpoint: str, method: str) -> dict[int, int]:
        """Return how many calls of a kind were answered in each minute, without those beyond the limit."""
        found: Counter[int] = Counter()
        for seen, count in list(self._counts.items()):
            if seen[:2] == (endpoint, method) and seen.status != 429 and seen.minute is not None:
                found[seen.minute] += count
        return dict(found)

    @property
    def refused(self) -> int:
        """How many calls were beyond the limit."""
        return self.count(status=429)

    @property
    def statuses(self) -> dict[tuple[str, str, int], int]:
        """How many calls there were by endpoint, method and status."""
        found: Counter[tuple[str, str, int]] = Counter()
        for (endpoint, method, _, status), count in list(self._counts.items()):
            found[endpoint or "", method or "", status or 0] += count
        return dict(found)

    def clear(self) -> None:
        """Forget them."""
        self._counts.clear()
        self.recent.clear()


def _fits(seen: Seen, wanted: Seen) -> bool:
    return all(want in (None, found) for found, want in zip(seen, wanted, strict=True))
