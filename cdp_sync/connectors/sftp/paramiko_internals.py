"""All that cdp_sync uses of paramiko beyond its documented interface; an upgrade that changes it breaks this file.

* `Channel.in_buffer` and `BufferedPipe._buffer`: replaced by `ChannelBuffer`, which does not copy.
* `Transport._really_parse_kex_init`: what the server offered, which paramiko's own message does not say.
* `Transport._preferred_keys`: paramiko's order of host key types; there is no public name for it before a connection.
* `Channel.send` reserves 64 bytes of each SSH packet; `protocol.wire` fills the first packet to that limit.

`cdp_sync_tests/connectors/test_paramiko_internals.py` checks each of them.
"""

from collections import deque
from collections.abc import Callable

import paramiko
from paramiko.buffered_pipe import BufferedPipe
from paramiko.message import Message


class OfferTransport(paramiko.Transport):
    """A transport that keeps what the server offered."""

    offered: dict[str, list[str]]

    def _really_parse_kex_init(self, m: Message, ignore_first_byte: bool = False) -> dict[str, list[str]]:
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        self.offered = {name: list(value) for name, value in parsed.items() if isinstance(value, list)}
        return parsed


def usual_key_types() -> tuple[str, ...]:
    """Return the host key types that paramiko negotiates, in its order."""
    return tuple(paramiko.Transport._preferred_keys)  # type: ignore[attr-defined]  # noqa: SLF001


class _Parts:
    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self._size = 0

    def append(self, data: bytes) -> None:
        if data:
            self._parts.append(memoryview(data))
            self._size += len(data)

    def first(self, size: int) -> bytes:
        """Return the first bytes, so many at most; they stay."""
        found = []
        for part in self._parts:
            found.append(part[:size])
            size -= len(found[-1])
            if not size:
                break
        return b"".join(found)

    def __delitem__(self, span: slice) -> None:
        size = self._size if span.stop is None else span.stop
        self._size -= size
        while size and size >= len(self._parts[0]):
            size -= len(self._parts.popleft())
        if size:
            self._parts[0] = self._parts[0][size:]

    def __len__(self) -> int:
        return self._size


class ChannelBuffer(BufferedPipe):  # type: ignore[type-arg]  # generic in its stubs only
    """Stands in for a channel's `in_buffer`; to be put there before anything was received.

    paramiko's own keeps one array and moves all of it for every few bytes read, which costs a third of the throughput
    and grows with the square of the window. This one keeps the parts as they came.

    Args:
        fed: Called whenever bytes arrive.
    """

    def __init__(self, fed: Callable[[], None]) -> None:
        super().__init__()
        self._fed = fed
        self._buffer = _Parts()

    def feed(self, data: bytes | str) -> None:
        """Take bytes in; called by paramiko's thread."""
        super().feed(data)
        self._fed()

    def _buffer_frombytes(self, data: bytes) -> None:
        self._buffer.append(data)

    def _buffer_tobytes(self, limit: int | None = None) -> bytes:
        return self._buffer.first(len(self._buffer) if limit is None else limit)
