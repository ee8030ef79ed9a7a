"""One SFTP conversation on an SSH channel: ask, and be answered by number, within limits on the server's pace."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import Fields, NotSftp

if TYPE_CHECKING:
    import paramiko

_VERSION = 3
_FIRST = 32768 - 64
"""Bytes in one packet of SSH: what OpenSSH takes, less 64 that paramiko reserves; see `paramiko_internals`."""


Waited = Callable[[float, int], None]
"""Called after every wait for bytes with its seconds and how many came; raises TooSlow."""


class TooSlow(Exception):
    """The server sends, but does not get on: bytes that drip keep a line alive for ever."""


class Deadline:
    """A moment, so many seconds from now, by which all of an answer must be there."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def waited(self, _seconds: float, _arrived: int) -> None:
        """Raise TooSlow if the moment has passed."""
        if time.monotonic() > self._end:
            raise TooSlow(f"its answer was not whole after {self._seconds:g} s")


class LeastRate:
    """A rate that a transfer must reach on average; only time spent on waiting counts.

    Args:
        rate: Bytes a second.
        span: Seconds of waiting over which the average is taken.
    """

    def __init__(self, rate: int, span: float) -> None:
        self._rate, self._span = rate, span
        self._seconds, self.bytes = 0.0, 0

    def waited(self, seconds: float, arrived: int) -> None:
        """Note a wait and the bytes that came; raise TooSlow if the rate was not reached."""
        self._seconds += seconds
        self.bytes += arrived
        if self._seconds < self._span:
            return
        if self.bytes < self._rate * self._seconds:
            raise TooSlow(f"{self.bytes:,} bytes in {self._seconds:.0f} s, where {self._rate:,} a second are expected")
        self._seconds, self.bytes = 0.0, 0


class Wire:
    """Sends requests and hands out replies, in whatever order they arrive. One thread at a time.

    Raises:
        NotSftp: The other side does not speak SFTP.
        EOFError: The channel was closed.
        OSError: The channel failed or stayed silent for too long.
        TooSlow: The pace says so.
    """

    def __init__(self, channel: "paramiko.Channel", pace: Waited | None = None) -> None:
        self._channel = channel
        self.pace = pace
        """Called after every wait for bytes."""
        self._last = 0
        self._asked: set[int] = set()
        self._early: dict[int, tuple[int, Fields]] = {}
        self._channel.sendall(packets.packet(packets.INIT, _VERSION.to_bytes(4, "big")))
        kind, reply = self._packet()
        if kind != packets.VERSION:
            raise NotSftp(f"a packet of kind {kind} in place of the version")
        self.extensions = packets.extensions(reply)

    def ask(self, kind: int, body: bytes, data: bytes = b"") -> int:
        """Send a request, `data` being the end of its body, and return its number."""
        self._last = (self._last + 1) % 2**32
        self._asked.add(self._last)
        # The data is not joined to it but for what fills a packet of SSH; paramiko cuts the rest without copying.
        head = packets.packet(kind, self._last.to_bytes(4, "big") + body, len(data))
        beside = _FIRST - len(head)
        self._channel.sendall(head + data[:beside])
        if rest := memoryview(data)[beside:]:
            self._channel.sendall(rest)  # type: ignore[arg-type]  # bytes only in its stubs
        return self._last

    def answer(self, number: int, kind: int) -> Fields:
        """Wait for the reply to a request.

        Raises:
            End: The server says that there is no more.
            Refusal: The server says no.
            NotSftp: The reply is of a kind that does not belong to the request.
        """
        while number not in self._early:
            arrived, reply = self._packet()
            answered = reply.uint32()
            if answered not in self._asked:
                raise NotSftp("an answer without a request")
            self._asked.remove(answered)
            self._early[answered] = arrived, reply
        arrived, reply = self._early.pop(number)
        if arrived == packets.STATUS:
            packets.check_status(reply)
        if kind != arrived:
            raise NotSftp(f"a reply of kind {arrived} where {kind} belongs")
        return reply

    def call(self, kind: int, body: bytes, expected: int) -> Fields:
        """Send a request and wait for its reply."""
        return self.answer(self.ask(kind, body), expected)

    def extended(self, name: bytes, body: bytes, expected: int) -> Fields:
        """Send a request that is an extension and wait for its reply."""
        return self.call(packets.EXTENDED, packets.string(name) + body, expected)

    def _packet(self) -> tuple[int, Fields]:
        length = int.from_bytes(self._exactly(4), "big")
        if not 0 < length < packets.LARGEST:
            raise NotSftp(f"a packet of {length} bytes")
        kind = self._exactly(1)[0]
        return kind, Fields(self._exactly(length - 1))

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            began = time.monotonic()
            part = self._channel.recv(size)
            if not part:
                raise EOFError("the channel was closed")
            if self.pace:
                self.pace(time.monotonic() - began, len(part))
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
