"""All that cdp_sync uses of paramiko beyond its documented interface; an upgrade that changes it breaks this file.

* `Channel.in_buffer` and `paramiko.buffered_pipe`: replaced by `ChannelBuffer`, which does not copy.
* `Transport._really_parse_kex_init`: what the server offered, which paramiko's own message does not say.
* `Transport._preferred_keys`: paramiko's order of host key types; there is no public name for it before a connection.
* `Channel.send` reserves 64 bytes of each SSH packet; `protocol.wire` fills the first packet to that limit.

`cdp_sync_tests/connectors/test_paramiko_internals.py` checks each of them.
"""

import threading
from collections import deque
from collections.abc import Callable

import paramiko
from paramiko.buffered_pipe import BufferedPipe, PipeTimeout
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


def replace_buffer(channel: paramiko.Channel, fed: Callable[[], None]) -> None:
    """Give a channel a buffer that calls `fed` whenever bytes arrive; to be done before anything was received."""
    channel.in_buffer = ChannelBuffer(fed)


class ChannelBuffer(BufferedPipe):  # type: ignore[type-arg]  # generic in its stubs only
    """Stands in for a channel's `in_buffer`.

    paramiko's own keeps one array and moves all of it for every few bytes read, which costs a third of the throughput
    and grows with the square of the window. This one keeps the parts as they came.

    Args:
        fed: Called whenever bytes arrive.
    """

    def __init__(self, fed: Callable[[], None]) -> None:
        super().__init__()
        self._fed = fed
        self._parts: deque[memoryview] = deque()
        self._held = 0
        self._ended = False
        self._changed = threading.Condition()
        self._signal: threading.Event | None = None

    def set_event(self, event: threading.Event) -> None:
        """Keep an event in step with whether there is something to read."""
        with self._changed:
            self._signal = event
            self._notify()

    def feed(self, data: bytes | str) -> None:
        """Take bytes in; called by paramiko's thread."""
        part = memoryview(data.encode() if isinstance(data, str) else data)
        with self._changed:
            if part:
                self._parts.append(part)
                self._held += len(part)
            self._notify()
        self._fed()

    def read_ready(self) -> bool:
        """Whether a read would return at once with something."""
        return self._held > 0

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:
        """Return up to `nbytes` bytes; none means that the other side has ended.

        Raises:
            PipeTimeout: Nothing came within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._held or self._ended, timeout):
                raise PipeTimeout
            taken = self._take(nbytes)
            self._notify()
            return taken

    def empty(self) -> bytes:
        """Return everything that is held."""
        with self._changed:
            taken = self._take(self._held)
            self._notify()
            return taken

    def close(self) -> None:
        """End it; what is held can still be read."""
        with self._changed:
            self._ended = True
            self._notify()

    def __len__(self) -> int:
        """Return the number of bytes held."""
        return self._held

    def _take(self, size: int) -> bytes:
        parts = []
        while size and self._parts:
            part = self._parts[0][:size]
            parts.append(part)
            size -= len(part)
            self._held -= len(part)
            if rest := self._parts[0][len(part) :]:
                self._parts[0] = rest
            else:
                self._parts.popleft()
        return b"".join(parts)

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._signal is None:
            return
        if self._held or self._ended:
            self._signal.set()
        else:
            self._signal.clear()
