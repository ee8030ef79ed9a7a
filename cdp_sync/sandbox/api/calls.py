"""A call, and the log of all calls."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.requests import Request


@dataclass(slots=True)
class Call:
    """One call of the API.

    Attributes:
        endpoint: The route's name, or the path where no route matches.
        method: Of HTTP.
        time: When it arrived, in seconds since 1970.
        request: The call itself, with headers, query and path parameters.
        body: What the vendor's `read` returned.
    """

    endpoint: str
    method: str
    time: float
    request: Request
    body: Any = None

    def header(self, *spellings: str) -> str | None:
        """Return the header with the first of these names that the call has, such as `Api-Key` or `api_key`."""
        return next((value for name in spellings if (value := self.request.headers.get(name)) is not None), None)


class Kind(NamedTuple):
    """Calls that are counted together."""

    endpoint: str
    method: str
    minute: int
    status: int


class Calls:
    """Counts calls per endpoint, method, minute and status of the answer, and keeps the last ones."""

    def __init__(self) -> None:
        self._counts: Counter[Kind] = Counter()
        self.recent: deque[tuple[float, str, str, int]] = deque(maxlen=50)
        """Time, method, endpoint and status of the last calls."""

    def note(self, endpoint: str, method: str, now: float, status: int) -> None:
        """Count a call."""
        self._counts[Kind(endpoint, method, int(now // 60), status)] += 1
        self.recent.append((now, method, endpoint, status))

    def count(
        self, endpoint: str | None = None, method: str | None = None, *, minute: int | None = None,
        status: int | None = None,
    ) -> int:  # fmt: skip
        """Return the number of calls of a kind; `minute` counts since 1970, None stands for any."""
        wanted = (endpoint, method, minute, status)
        return sum(
            count
            for kind, count in list(self._counts.items())
            if all(want in (None, found) for want, found in zip(wanted, kind, strict=True))
        )

    def per_minute(self, endpoint: str, method: str) -> dict[int, int]:
        """Return the number of calls of a kind by minute since 1970, without those beyond the limit."""
        found: Counter[int] = Counter()
        for kind, count in list(self._counts.items()):
            if (kind.endpoint, kind.method) == (endpoint, method) and kind.status != 429:
                found[kind.minute] += count
        return dict(found)

    @property
    def refused(self) -> int:
        """The number of calls beyond the limit."""
        return self.count(status=429)

    @property
    def statuses(self) -> dict[tuple[str, str, int], int]:
        """The number of calls by endpoint, method and status."""
        found: Counter[tuple[str, str, int]] = Counter()
        for kind, count in list(self._counts.items()):
            found[kind.endpoint, kind.method, kind.status] += count
        return dict(found)

    def clear(self) -> None:
        """Empty the log."""
        self._counts.clear()
        self.recent.clear()
