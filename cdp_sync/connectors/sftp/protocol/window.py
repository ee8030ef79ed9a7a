"""The window: how much may be asked of a server at once."""

from dataclasses import dataclass

from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.wire import Wire

_IN_FLIGHT = 8 << 20
"""Bytes asked for or sent and not yet answered: 160 MB/s at a round trip of 50 ms."""
_MOST_REQUESTS = 64
"""What OpenSSH's own client has under way at most; servers are tried with that."""
_SAFE_REQUEST = 32768
"""Bytes every server must be able to deal with, section 3 of the draft."""
_LARGEST_REQUEST = 255 << 10
"""What OpenSSH allows."""


@dataclass(frozen=True)
class Limits:
    """The most bytes of one request."""

    read: int = _SAFE_REQUEST
    write: int = _SAFE_REQUEST


def limits(wire: Wire) -> Limits:
    """Return what the server allows, or what all allow."""
    if packets.LIMITS not in wire.extensions:
        return Limits()
    largest = packets.largest_requests(wire.extended(packets.LIMITS, b"", packets.EXTENDED_REPLY))
    return Limits(*(min(most, _LARGEST_REQUEST) or _SAFE_REQUEST for most in largest))


def depth(size: int) -> int:
    """Return how many requests of so many bytes may be under way."""
    return max(1, min(_MOST_REQUESTS, _IN_FLIGHT // size))
