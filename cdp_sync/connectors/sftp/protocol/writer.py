"""Writing a remote file in order, with many requests under way at once but never more than a bounded number."""

from collections import deque
from collections.abc import Callable, Iterator

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import Refusal
from cdp_sync.connectors.sftp.protocol.window import depth
from cdp_sync.connectors.sftp.protocol.wire import Wire

_SYNC_EVERY = 256 << 20
"""Bytes after which the server brings them to its disk; one wait for all of a large file could outlast the timeout."""


class Writer:
    """Fills an open remote file and makes sure, where the server can, that it lies on the server's disk.

    Args:
        wire: The conversation.
        handle: Of the file, as OPEN returned it.
        read: Gives up to so many bytes of what is to be written, and none at the end.
        size: Bytes to send at a time.
    """

    def __init__(self, wire: Wire, handle: bytes, read: Callable[[int], bytes], size: int) -> None:
        self._wire = wire
        self._handle = handle
        self._read = read
        self._size = size
        self._depth = depth(size)
        self._waiting: deque[tuple[int, int]] = deque()
        self._sent = 0

    def __iter__(self) -> Iterator[int]:
        """Yield, as the server confirms piece after piece, how many bytes it has.

        Raises:
            Refusal: The server would not go on. Answers may still be under way.
        """
        synced = 0
        while data := self._read(self._size):
            if len(self._waiting) == self._depth:
                yield self._confirmed()
            number = self._wire.ask(packets.WRITE, packets.span(self._handle, self._sent, len(data)), data)
            self._sent += len(data)
            self._waiting.append((number, self._sent))
            if self._sent - synced >= _SYNC_EVERY:
                yield from self._all_confirmed()
                self._sync()
                synced = self._sent
        yield from self._all_confirmed()
        self._sync()

    def _confirmed(self) -> int:
        number, reach = self._waiting.popleft()
        self._wire.answer(number, packets.STATUS)
        return reach

    def _all_confirmed(self) -> Iterator[int]:
        while self._waiting:
            yield self._confirmed()

    def _sync(self) -> None:
        if packets.SYNC not in self._wire.extensions:
            return
        try:
            self._wire.extended(packets.SYNC, packets.string(self._handle), packets.STATUS)
        except Refusal as refusal:
            if refusal.code != packets.UNSUPPORTED:  # gateways announce what their storage may not have
                raise
