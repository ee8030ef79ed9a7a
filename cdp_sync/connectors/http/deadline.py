"""A deadline for a whole call: a server that sends a byte now and then never runs into a time-out.

The deadline is checked before every read from the socket, which waits no longer than the time that is left. That bounds
status line, headers, chunk sizes and body alike. `http.client` reads headers in a loop of its own, so the check stands
below it, in the file that it reads from. Bodies that are sent are checked block by block.
"""

import http.client
import io
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_BLOCK = 1 << 17
"""Bytes of a body that are sent at a time."""


class DeadlinePassed(OSError):
    """A call took too long as a whole."""


class Deadline:
    """The instant, so many seconds from now, by which a call must be over.

    A context manager: it holds for the answer of a call made in the block.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self.line: socket.socket | None = None
        self._end = time.monotonic() + seconds

    def __enter__(self) -> Self:
        """Apply it to what this thread does."""
        _current.deadline = self
        return self

    def __exit__(self, *_unused: object) -> None:
        """Apply it no longer to calls that begin; it still holds for the answer."""
        _current.deadline = None

    def left(self) -> float:
        """Return how many seconds are left; without any, raise DeadlinePassed."""
        left = self._end - time.monotonic()
        if self.passed or left <= 0:
            self.passed = True
            raise DeadlinePassed
        return left

    def expire(self) -> None:
        """End the call now; to be called by another thread."""
        self.passed = True
        if self.line is not None:
            with suppress(OSError, TypeError):  # TLS inside TLS, through a proxy, is no plain socket
                socket.socket.shutdown(self.line, socket.SHUT_RDWR)  # wakes up the reader; TLS is not involved


_current = threading.local()
"""Its `deadline` is that of the call that this thread makes."""


class _BoundedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, line: socket.socket, deadline: Deadline) -> None:
        self._raw, self._line, self._deadline = raw, line, deadline
        self._timeout = line.gettimeout()
        deadline.line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - as its base has it
        left = self._deadline.left()
        if self._timeout is not None and left >= self._timeout:
            return self._raw.readinto(buffer)
        self._line.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            self._deadline.passed = True
            raise DeadlinePassed from None
        finally:
            self._line.settimeout(self._timeout)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as its base has them
        super().__init__(sock, *args, **options)
        if deadline := getattr(_current, "deadline", None):
            self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock, deadline))


class _Pool(HTTPConnectionPool):
    class ConnectionCls(HTTPConnection):
        response_class = _Response


class _TlsPool(HTTPSConnectionPool):
    class ConnectionCls(HTTPSConnection):
        response_class = _Response


_POOLS = {"http": _Pool, "https": _TlsPool}


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter, with answers that are read until the deadline."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as its base has them
        """Use connections that know the deadline."""
        super().init_poolmanager(*args, blocksize=_BLOCK, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:  # noqa: ANN401
        """Use such connections through a proxy as well."""
        manager: PoolManager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
