"""Calls for many users at once, and who of them was refused.

A call that is refused as a whole, such as for its size or for one value, is split by halves until the users at fault
stand alone. To send a user again is idempotent. Users stay JSON as it was written: nobody is parsed who is accepted.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cdp_sync.connectors.iterable import answers
from cdp_sync.connectors.iterable.protocol import LARGEST_BODY, MOST_USERS, Call
from cdp_sync.errors import FieldsRefused, ListUnknown, RequestRefused

_LARGEST_BATCH = LARGEST_BODY * 7 // 8
"""Bytes of the users in a call: 3.5 MB."""
_ID, _KEY, _USER = b'{"id":', b',"key":"', b'"user":'


@dataclass(frozen=True, slots=True)
class Entry:
    """A user of a call."""

    place: int
    """The number of the user's line."""
    who: bytes
    """JSON with the identifier alone."""
    user: bytes
    """JSON with all that is sent, or with the lists to leave."""


Refusal = tuple[Entry, RequestRefused]
Batch = Sequence[Entry]


def entry(place: int, line: bytes) -> Entry:
    """Return a user of a line: `{"id":"…","key":"email","user":{…}}`, or `"lists"` in place of `"user"`.

    Quotes within the id are escaped, so that what follows it is found without parsing.
    """
    identifier, _, rest = line.partition(_KEY)
    key, _, more = rest.partition(b'",')
    who = b'{"%s":%s}' % (key, identifier.removeprefix(_ID))
    return Entry(place, who, more.removeprefix(_USER)[:-1] if more.startswith(_USER) else b"{" + more)


def batches(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[Entry]]:
    """Yield users, as many as fit into one call each time."""
    return in_batches(entry(place, line) for place, line in lines)


def in_batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield entries, as many as fit into one call each time."""
    batch: list[Entry] = []
    size = 0
    for each in entries:
        length = len(each.who) + len(each.user)
        if batch and (len(batch) == MOST_USERS or size + length > _LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch


def send(ask: Callable[[Call], Any], batch: Batch, call: Callable[[Batch], Call]) -> Iterator[Refusal]:
    """Make a call for users; yield those who were refused.

    Raises:
        ListUnknown: The call is about a list that is not there.
        FieldsRefused: Some fields were written for nobody.
        CdpSyncError: As of `answers.decipher`, where more than these users are concerned.
    """
    if not batch:
        return
    refused, unnamed = _answered(ask, batch, call)
    if unnamed is None:
        yield from refused
    elif len(batch) == 1:
        yield batch[0], unnamed
    else:
        half = len(batch) // 2
        yield from send(ask, batch[:half], call)
        yield from send(ask, batch[half:], call)


def _answered(
    ask: Callable[[Call], Any], batch: Batch, call: Callable[[Batch], Call]
) -> tuple[list[Refusal], RequestRefused | None]:
    """Make a call; return the users who are named as refused, and why users are refused who are not named."""
    try:
        found = answers.failures(ask(call(batch)))
    except ListUnknown:
        raise
    except RequestRefused as problem:
        return [], problem
    if found.dropped_fields:
        raise FieldsRefused(
            f"Iterable dropped fields that the project does not have: {', '.join(found.dropped_fields[:10])}.",
            remedy="Create them in Iterable, or look at how many fields the project has.",
        )
    refused = list(_named(batch, found)) if found.count else []
    complete = len(refused) >= found.count
    return refused, None if complete else RequestRefused("Iterable refuses the user and does not say why.")


def _named(batch: Batch, found: answers.Failures) -> Iterator[Refusal]:
    for each in batch:
        ((key, identifier),) = json.loads(each.who).items()
        if problem := found.reasons.get(answers.user_key(key, identifier)):
            yield each, problem
