"""Verifies that users show what was sent: an accepted call takes effect later, and its answer does not say whether."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.protocol import Call
from cdp_sync.errors import CdpSyncError
from cdp_sync.model.audience import Body, Delivered, Unproved, Users
from cdp_sync.retrying import Pauses, wait_until

SHOWS_WITHIN = 120.0
"""Seconds that are waited for a further user who shows what was sent; Iterable advises 60."""
_PAUSES = Pauses(1.0, 2.0, 15.0)
_MEMBERSHIPS = ("emailListIds", "userListIds")
"""The fields with a user's lists, by type of project."""


class Verification:
    """Reads users back, at most 100 a second, until they show what was sent.

    Args:
        client: Calls the project.
        lists: The ids of the lists that users were put on.
        lists_before: Returns the lists that a user was on before, by the number of its line.
        on_lists: Returns the users that the lists themselves have; asked at the end, where users' fields lack lists.
    """

    def __init__(
        self,
        client: IterableClient,
        lists: Collection[int],
        lists_before: Callable[[int], frozenset[str]],
        on_lists: Callable[[], Collection[int]],
    ) -> None:
        self._client, self._lists, self._lists_before, self._on_lists = client, lists, lists_before, on_lists
        self._waited = 0.0
        self._without_lists: set[int] = set()

    def verify(self, users: Users) -> None:
        """Note the outcome of all users who have none yet: delivered, or that they do not show what was sent."""
        if wait_until(lambda: self._look(users), _PAUSES, self._left, self._wait):
            return
        there = set(self._on_lists()) if self._without_lists else set()
        for place, _ in users.lines():
            if place in self._without_lists & there:  # the user's own fields do not have all lists
                users.note(place, self._delivered(place))
            else:
                reason = f"Iterable accepted the user, and does not show it: {self._why(place)}."
                users.note(place, Unproved(reason, self._lists_before(place)))

    def _delivered(self, place: int) -> Delivered:
        return Delivered(on_before=self._lists_before(place))

    def _why(self, place: int) -> str:
        return "it is not on a list" if place in self._without_lists else "values are others, or the user is missing"

    def _left(self) -> float:
        return SHOWS_WITHIN - self._waited

    def _wait(self, seconds: float) -> None:
        self._waited += seconds
        self._client.wait(seconds)

    def _look(self, users: Users) -> bool:
        """Look at all users without an outcome; return whether all of them show what was sent."""
        complete = True
        for place, values, lists in self._shown(users):
            if values and lists:
                users.note(place, self._delivered(place))
                self._waited = 0.0
                continue
            complete = False
            (self._without_lists.add if values else self._without_lists.discard)(place)
        return complete

    def _shown(self, users: Users) -> Iterator[tuple[int, bool, bool]]:
        """Yield for each user whether it shows the values, and whether the lists."""
        under_way: dict[int, tuple[int, Body]] = {}

        def calls() -> Iterator[Call]:
            for number, (place, line) in enumerate(users.lines()):
                body = json.loads(line)
                under_way[number] = place, body["user"]
                yield protocol.get_user(body["key"], body["id"])

        with closing(self._client.each(calls())) as found:
            for number, answer in found:
                place, sent = under_way.pop(number)
                user = None if isinstance(answer, CdpSyncError) else answers.user(answer)
                held = user or {}
                on = {each for name in _MEMBERSHIPS for each in held.get(name) or ()}
                yield place, user is not None and shows(sent.get("dataFields") or {}, held), on.issuperset(self._lists)


def shows(sent: Any, held: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a value that was read agrees with the one that was sent; null and nothing are the same."""
    if isinstance(sent, Mapping):
        inner = held if isinstance(held, Mapping) else {}
        return all(shows(value, inner.get(name)) for name, value in sent.items())
    if sent is None or sent in ("", []):
        return held is None or held in ("", [])
    if isinstance(sent, list):
        return isinstance(held, list) and len(sent) == len(held) and all(map(shows, sent, held))
    return bool(sent == held) or (_moment(sent) is not None and _moment(sent) == _moment(held))


def _moment(value: object) -> datetime | None:
    """Return the moment of a date, which is read in another form than it was sent in."""
    try:
        found = datetime.fromisoformat(str(value).replace(" +", "+"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
