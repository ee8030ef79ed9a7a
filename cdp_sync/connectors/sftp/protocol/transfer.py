"""Moving a remote file in order, with many requests under way at once but never more than a bounded number."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import End, NotSftp, Refusal
from cdp_sync.connectors.sftp.protocol.wire import Wire

_IN_FLIGHT = 8 << 20
"""Bytes asked for or sent and not yet answered: 160 MB/s at a round trip of 50 ms."""
_MOST_REQUESTS = 64
"""What OpenSSH's own client has under way at most; servers are tried with that."""
_SAFE_REQUEST = 32768
"""Bytes every server must be able to deal with, section 3 of the draft."""
_LARGEST_REQUEST = 255 << 10
"""What OpenSSH allows."""
_SYNC_EVERY = 256 << 20
"""Bytes after which the server brings them to its disk; one wait for all of a large file could outlast the timeout."""


class Limits(NamedTuple):
    """The most bytes of one request."""

    read: int = _SAFE_REQUEST
    write: int = _SAFE_REQUEST


def limits(wire: Wire) -> Limits:
    """Return what the server allows, or what all allow."""
    if packets.LIMITS not in wire.extensions:
        return Limits()
    reply = wire.extended(packets.LIMITS, b"", packets.EXTENDED_REPLY)
    _packet, *largest = (reply.uint64() for _ in range(3))  # 0 means "not stated"
    return Limits(*(min(most, _LARGEST_REQUEST) or _SAFE_REQUEST for most in largest))


def depth(size: int) -> int:
    """Return how many requests of so many bytes may be under way."""
    return max(1, min(_MOST_REQUESTS, _IN_FLIGHT // size))


def read(wire: Wire, handle: bytes, start: int, end: int, size: int) -> Iterator[bytes]:
    """Yield the bytes of an open remote file in order, from `start` to `end`, or to where it ends if that comes first.

    `size` bytes are asked for at a time. A server may answer with fewer; the rest is asked for again, ahead of
    everything else.

    Raises:
        Refusal: The server would not go on.
        NotSftp: The server sent other bytes than asked for.
    """
    waiting: deque[tuple[int, int, int]] = deque()

    def ask(offset: int, length: int) -> tuple[int, int, int]:
        return wire.ask(packets.READ, packets.span(handle, offset, length)), offset, length

    def ask_ahead(offset: int) -> int:
        while offset < end and len(waiting) < depth(size):
            waiting.append(ask(offset, min(size, end - offset)))
            offset += size
        return offset

    start = ask_ahead(start)
    while waiting:
        number, offset, length = waiting.popleft()
        try:
            data = wire.answer(number, packets.DATA).string()
        except End:
            _drain(wire, (number for number, *_ in waiting))
            return
        if not 0 < len(data) <= length:
            raise NotSftp(f"{len(data)} bytes where 1 to {length} were asked for")
        if rest := length - len(data):
            waiting.appendleft(ask(offset + len(data), rest))
        start = ask_ahead(start)
        yield data


def _drain(wire: Wire, numbers: Iterable[int]) -> None:
    """Take the replies that also say that this is the end: that keeps the conversation usable."""
    for number in numbers:
        with suppress(End):
            wire.answer(number, packets.DATA)


def write(wire: Wire, handle: bytes, source: Callable[[int], bytes], size: int) -> Iterator[int]:
    """Fill an open remote file, and yield, as the server confirms piece after piece, how many bytes it has.

    Where the server can, it makes sure that they lie on the server's disk. `source` gives up to so many bytes of what
    is to be written, and none at the end; `size` bytes are sent at a time.

    Raises:
        Refusal: The server would not go on. Answers may still be under way.
    """
    waiting: deque[tuple[int, int]] = deque()
    sent = synced = 0

    def confirmed(most: int) -> Iterator[int]:
        while len(waiting) > most:
            number, reach = waiting.popleft()
            wire.answer(number, packets.STATUS)
            yield reach

    while data := source(size):
        yield from confirmed(depth(size) - 1)
        number = wire.ask(packets.WRITE, packets.span(handle, sent, len(data)), data)
        sent += len(data)
        waiting.append((number, sent))
        if sent - synced >= _SYNC_EVERY:
            yield from confirmed(0)
            _sync(wire, handle)
            synced = sent
    yield from confirmed(0)
    _sync(wire, handle)


def _sync(wire: Wire, handle: bytes) -> None:
    if packets.SYNC not in wire.extensions:
        return
    try:
        wire.extended(packets.SYNC, packets.string(handle), packets.STATUS)
    except Refusal as refusal:
        if refusal.code != packets.UNSUPPORTED:  # gateways announce what their storage may not have
            raise
