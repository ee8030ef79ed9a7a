"""A minimal SFTP server that answers in the most difficult ways that the protocol allows."""

import random
import struct
import sys
from collections import deque

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import Fields
from cdp_sync.connectors.sftp.protocol.wire import Wire

Packet = tuple[int, bytes]


def status(code: int, text: bytes = b"") -> Packet:
    """Return a STATUS reply without its request id."""
    return packets.STATUS, struct.pack(">I", code) + packets.string(text) + packets.string(b"")


class AwkwardServer:
    """A channel to a server of one file: short reads, answers in random order, small chunks.

    Args:
        content: The content of the file.
        seed: The seed of the random choices.
        shortest: The minimum number of bytes in an answer to READ.
        extensions: The announced extensions, each with its reply.
    """

    def __init__(
        self, content: bytes, seed: int, shortest: int = 1, extensions: dict[bytes, Packet] | None = None
    ) -> None:
        self.content = bytearray(content)
        self.rng = random.Random(seed)  # no secret
        self.shortest = shortest
        self.extensions = extensions or {}
        self.incoming = b""
        self.waiting: list[bytes] = []
        self.most_waiting = 0
        self.outgoing = deque[int]()
        self.chunks_before_drop = sys.maxsize
        """How many chunks can be received before the connection drops."""

    def sendall(self, data: bytes) -> None:
        """Receive a request, or part of one."""
        self.incoming += data
        length = int.from_bytes(self.incoming[:4], "big") + 4
        if len(self.incoming) >= length:
            request, self.incoming = self.incoming[:length], self.incoming[length:]
            self.take(request[4], Fields(request[5:]))

    def take(self, kind: int, fields: Fields) -> None:
        """Process one request."""
        number = fields.raw(4)
        if kind == packets.INIT:
            names = b"".join(packets.string(name) + packets.string(b"1") for name in self.extensions)
            self.outgoing.extend(packets.packet(packets.VERSION, struct.pack(">I", 3) + names))
            return
        served = {packets.READ: self.read, packets.WRITE: self.write}
        answer, body = served[kind](fields) if kind in served else self.extensions[fields.string()]
        self.waiting.append(packets.packet(answer, number + body))
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def read(self, fields: Fields) -> Packet:
        """Answer a READ."""
        fields.string()
        offset, length = fields.uint64(), fields.uint32()
        if offset >= len(self.content):
            return status(packets.EOF)
        length = self.rng.randint(min(self.shortest, length), length)
        return packets.DATA, packets.string(bytes(self.content[offset : offset + length]))

    def write(self, fields: Fields) -> Packet:
        """Answer a WRITE."""
        fields.string()
        offset, data = fields.uint64(), fields.string()
        self.content[offset : offset + len(data)] = data
        return status(packets.OK)

    def recv(self, size: int) -> bytes:
        """Return some bytes of an answer, or none after the connection has dropped."""
        self.chunks_before_drop -= 1
        if self.chunks_before_drop < 0:
            return b""
        if not self.outgoing and self.waiting:
            self.outgoing.extend(self.waiting.pop(self.rng.randrange(len(self.waiting))))
        taken = min(self.rng.randint(1, size), len(self.outgoing))
        return bytes(self.outgoing.popleft() for _ in range(taken))


def wire_to(channel: AwkwardServer) -> Wire:
    """Return the protocol session over the channel."""
    return Wire(channel)  # type: ignore[arg-type]  # as much of a channel as the wire uses
