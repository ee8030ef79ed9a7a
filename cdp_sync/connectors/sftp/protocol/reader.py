"""Reading a remote file in order, with many requests under way at once but never more than a bounded number."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import End, NotSftp
from cdp_sync.connectors.sftp.protocol.window import depth
from cdp_sync.connectors.sftp.protocol.wire import Wire


class _Request(NamedTuple):
    number: int
    offset: int
    length: int


class Reader:
    """The bytes of an open remote file from `start` to `end`, or to where the file ends if that comes first.

    A server may answer with fewer bytes than asked for; the rest is asked for again, ahead of everything else.

    Args:
        wire: The conversation.
        handle: Of the file, as OPEN returned it.
        start: Offset of the first byte.
        end: Offset after the last byte.
        size: Bytes to ask for at a time.
    """

    def __init__(self, wire: Wire, handle: bytes, start: int, end: int, size: int) -> None:
        self._wire = wire
        self._handle = handle
        self._next = start
        self._end = end
        self._size = size
        self._depth = depth(size)
        self._waiting: deque[_Request] = deque()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in order.

        Raises:
            Refusal: The server would not go on.
            NotSftp: The server sent other bytes than asked for.
        """
        self._ask_ahead()
        while self._waiting:
            request = self._waiting.popleft()
            try:
                data = self._wire.answer(request.number, packets.DATA).string()
            except End:
                while self._waiting:  # every later reply says so too; taking them keeps the conversation usable
                    with suppress(End):
                        self._wire.answer(self._waiting.popleft().number, packets.DATA)
                return
            if not 0 < len(data) <= request.length:
                raise NotSftp(f"{len(data)} bytes where 1 to {request.length} were asked for")
            if rest := request.length - len(data):
                self._waiting.appendleft(self._ask(request.offset + len(data), rest))
            self._ask_ahead()
            yield data

    def _ask(self, offset: int, length: int) -> _Request:
        number = self._wire.ask(packets.READ, packets.span(self._handle, offset, length))
        return _Request(number, offset, length)

    def _ask_ahead(self) -> None:
        while self._next < self._end and len(self._waiting) < self._depth:
            request = self._ask(self._next, min(self._size, self._end - self._next))
            self._waiting.append(request)
            self._next += request.length
