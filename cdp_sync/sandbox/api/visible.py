"""Changes that readers see late, as in a store that is eventually consistent."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from cdp_sync.sandbox.api.clock import Clock

T = TypeVar("T")


class Visible(Generic[T]):
    """What readers still see of objects that changed lately, by each of their keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before: dict[Hashable, tuple[float, T | None]] = {}

    def hide(self, keys: Iterable[Hashable], before: T | None, seconds: float) -> None:
        """Show an object as it was for some seconds; None where it did not exist.

        A change while an earlier one is hidden hides both until its own time has passed.
        """
        now = self._clock()
        for key in keys if seconds else ():
            until, earlier = self._before.get(key, (0.0, None))
            self._before[key] = (now + seconds, earlier if until > now else before)

    def seen(self, key: Hashable, current: T | None) -> T | None:
        """Return what a reader sees."""
        if key not in self._before:
            return current
        until, before = self._before[key]
        if until > self._clock():
            return before
        del self._before[key]
        return current

    def hidden(self) -> dict[Hashable, T | None]:
        """Return what readers still see, by key, of all objects whose last change they do not see."""
        now = self._clock()
        self._before = {key: found for key, found in self._before.items() if found[0] > now}
        return {key: before for key, (_, before) in self._before.items()}
