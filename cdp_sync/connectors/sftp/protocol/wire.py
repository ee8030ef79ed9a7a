"""One SFTP conversation on an SSH channel: ask, and be answered by number."""

import time
from typing import TYPE_CHECKING

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.pace import Waited
from cdp_sync.connectors.sftp.protocol.packets import Fields, NotSftp

if TYPE_CHECKING:
    import paramiko

_VERSION = 3
_FIRST = 32768 - 64
"""Bytes in one packet of SSH: what OpenSSH takes, less 64 that paramiko reserves; see `paramiko_internals`."""


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
