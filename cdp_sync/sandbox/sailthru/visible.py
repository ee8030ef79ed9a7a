"""Changes that readers see late, as a store that is consistent in the end shows them."""

from dataclasses import replace

from cdp_sync.sandbox.sailthru.people import User
from cdp_sync.sandbox.sailthru.times import Clock


class Visible:
    """What `GET user` still sees of users who changed lately, by each of their keys."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._before: dict[tuple[str, str], tuple[float, User | None]] = {}

    def later(self, user: User, before: User | None, seconds: float) -> None:
        """Show a change after some seconds only; until then as before, where nobody is None.

        A change while an earlier one is not visible yet hides both until it is.
        """
        if not seconds:
            return
        until = self.clock() + seconds
        shown = replace(before) if before else None
        known = {**(before.keys if before else {}), **user.keys}
        for key, value in {*known.items(), *(before.keys.items() if before else ())}:
            hidden_until, earlier = self._before.get((key, value), (0.0, None))
            self._before[key, value] = (until, earlier if hidden_until > self.clock() else shown)

    def seen(self, key: str, value: str, now: User | None) -> User | None:
        """Return what a reader sees of a user."""
        if not self._before:
            return now
        until, before = self._before.get((key, value), (0.0, None))
        if until > self.clock():
            return before
        self._before.pop((key, value), None)
        return now
