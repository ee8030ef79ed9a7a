"""Events to Iterable: custom ones in batches by `events/trackBulk`, purchases one a call by `commerce/trackPurchase`.

Events have ids, so that to send one again changes nothing. Those of one user are sent in their order: a portion of
events is divided by users, the parts are sent concurrently, and the next portion begins when all of them are done.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from threading import Event
from typing import Any
from zlib import crc32

from cdp_sync.connectors.iterable import protocol
from cdp_sync.connectors.iterable.batches import Batch, Entry, Refusal, entry, in_batches, send
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.protocol import Call
from cdp_sync.connectors.iterable.sent_events import IterableEvents
from cdp_sync.errors import CdpSyncError, RequestRefused, ServerRefused
from cdp_sync.model.audience import Delivered, Users

_WORKERS = 6
"""Parts that are sent at the same time: ten calls a second are allowed, and few large bodies are held."""
MOST_EVENTS, MOST_PURCHASES = _WORKERS * protocol.MOST_USERS, _WORKERS * 100
"""Events of a portion."""

Work = Callable[[Sequence[Entry], Event], list[Refusal]]


def send_events(client: IterableClient, events: Users, declared: IterableEvents) -> None:
    """Send the events without an outcome, and write down the outcome of each.

    Raises:
        FieldsRefused: The project cannot have the fields.
        ServerRefused: The key, a permission, a name of events that the project does not allow: no call would do.
        Transient: Iterable cannot be reached, or fails again and again.
    """
    work: Work = partial(_purchases if declared.is_purchase else _custom_events, client)
    most = MOST_PURCHASES if declared.is_purchase else MOST_EVENTS
    left = (entry(place, line) for place, line in events.lines())
    while portion := list(islice(left, most)):
        for part, outcome in _done(client, work, _by_user(portion)):
            if isinstance(outcome, CdpSyncError):  # the call may have been done, and to send them again is idempotent
                events.note_all([each.place for each in part], outcome)
                continue
            refused = {each.place: problem for each, problem in outcome}
            events.note_all([each.place for each in part if each.place not in refused], Delivered())
            for place, problem in refused.items():
                events.note(place, problem)


def _by_user(portion: Iterable[Entry]) -> list[list[Entry]]:
    """Divide events so that those of one user stay together, in their order."""
    parts: list[list[Entry]] = [[] for _ in range(_WORKERS)]
    for each in portion:
        parts[crc32(each.who) % _WORKERS].append(each)
    return [part for part in parts if part]


def _done(
    client: IterableClient, work: Work, parts: list[list[Entry]]
) -> Iterator[tuple[list[Entry], list[Refusal] | CdpSyncError]]:
    """Do work for all parts concurrently; yield each with its refusals, or with what failed."""
    with closing(client.concurrently(work, parts, workers=_WORKERS)) as outcomes:
        for number, outcome in outcomes:
            yield parts[number], outcome


def _custom_events(client: IterableClient, part: Sequence[Entry], cancelled: Event) -> list[Refusal]:
    """Send custom events; return those that were refused."""

    def ask(call: Call) -> Any:  # noqa: ANN401 - any JSON
        answer = client.ask(call, cancelled)
        if names := answer.get("disallowedEventNames"):
            raise ServerRefused(
                f"Iterable does not allow events that are called {', '.join(map(str, names))}.",
                remedy="Allow the name in the project's settings of custom events, or declare another one.",
            )
        return answer

    def call(batch: Batch) -> Call:
        return protocol.track_events([each.user for each in batch])

    return [refusal for batch in in_batches(part) for refusal in send(ask, batch, call)]


def _purchases(client: IterableClient, part: Sequence[Entry], cancelled: Event) -> list[Refusal]:
    """Send purchases; return those that were refused."""
    refusals: list[Refusal] = []
    for each in part:
        try:
            client.ask(protocol.track_purchase(each.user), cancelled)
        except RequestRefused as problem:
            refusals.append((each, problem))
    return refusals
